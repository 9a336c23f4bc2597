// What the programs of a pod write, as they write it. At most MOST lines are kept; older ones go as new ones come.

import { empty, h, keyed, set, text } from "./dom.js";
import { follow } from "./live.js";
import { parseLine } from "./line.js";
import { address } from "./route.js";
import { TONES } from "./mesh.js";

const MOST = 1000;
const CONTROL = "localmesh";

/** The view: see main.js for what a view is. */
export function logsView() {
  const list = h("ul", { class: "picker" });
  const lines = h("ol", { class: "lines", tabindex: 0, "aria-label": "Log lines" });
  const title = h("h1", {}, "Logs");
  const wanted = h("input", { type: "search", placeholder: "only lines with …", "aria-label": "Only lines with", input: () => filter() });
  const whole = h("input", { type: "checkbox", change: () => lines.classList.toggle("whole", whole.checked) });
  const at = h("button", { type: "button", class: "quiet", hidden: true, click: () => toEnd() }, "↓ follow");
  const nothing = empty("Nothing written yet.");
  const element = h(
    "div",
    { class: "split" },
    h("nav", { class: "card side", "aria-label": "Pods" }, list),
    h("section", { class: "card grow logs" }, h("div", { class: "tools" }, title, at, h("label", {}, whole, "all fields"), wanted), lines, nothing),
  );
  let pod = null;
  let stop = () => {};

  const atEnd = () => lines.scrollHeight - lines.scrollTop - lines.clientHeight < 24;
  const toEnd = () => {
    lines.scrollTop = lines.scrollHeight;
    at.hidden = true;
  };
  const fits = (line) => !wanted.value || line.dataset.raw.includes(wanted.value.toLowerCase());
  const filter = () => {
    for (const line of lines.children) line.hidden = !fits(line);
    toEnd();
  };
  const add = (added) => {
    const stay = atEnd();
    const made = added.slice(-MOST).map((one) => lineOf(one));
    for (const line of made) line.hidden = !fits(line);
    lines.append(...made);
    while (lines.children.length > MOST) lines.firstChild.remove();
    nothing.hidden = lines.children.length > 0;
    if (stay) toEnd();
    else at.hidden = false;
  };
  lines.addEventListener("scroll", () => {
    if (atEnd()) at.hidden = true;
  });

  const open = (key) => {
    if (key === pod) return;
    stop();
    pod = key;
    text(title, key === CONTROL ? "Control plane" : key);
    lines.replaceChildren();
    nothing.hidden = false;
    if (key) stop = follow(`api/logs/${key}`, { first: (all) => (lines.replaceChildren(), add(all)), lines: add });
    mark();
  };
  const mark = () => {
    for (const item of list.children) set(item.firstChild, "aria-current", item.dataset.key === pod ? "true" : null);
  };
  let asked = "";
  let pods = [];
  const choose = () => {
    open(asked || (pods[0] ? `${pods[0].namespace}/${pods[0].name}` : CONTROL));
  };
  return {
    element,
    show({ parts }) {
      asked = parts.join("/");
      if (asked || pods.length) choose();
    },
    update(reading) {
      pods = reading.status?.pods ?? [];
      const items = [...pods.map((one) => ({ key: `${one.namespace}/${one.name}`, words: one.name, tone: TONES[one.state] ?? "warn" })), { key: CONTROL, words: "control plane", tone: reading.status ? "good" : "off" }];
      keyed(list, items, (item) => item.key, item, (one, { tone }) => set(one.querySelector(".dot"), "data-tone", tone));
      if (pod === null || (!asked && pod === CONTROL && pods.length)) choose();
      mark();
    },
    close: () => stop(),
  };
}

function item({ key, words }) {
  return h("li", {}, h("a", { href: address("logs", key.split("/")) }, h("span", { class: "dot" }), words));
}

/** One line: time, program, what it says, and a link to its trace. */
export function lineOf({ program, pod, text: raw }, linked = true) {
  const said = parseLine(raw);
  const words = said.parts.map(([kind, value]) => h("span", { class: kind }, value));
  const trace = linked && said.trace ? h("a", { class: "trace", href: address("traces", [said.trace]) }, "trace") : null;
  return h(
    "li",
    { "data-tone": said.tone, "data-raw": raw.toLowerCase(), title: raw },
    h("span", { class: "when" }, said.time),
    h("span", { class: "who" }, pod ? `${pod.split("/").at(-1)} ${program}` : program),
    h("span", { class: "what" }, ...words.flatMap((word) => [word, " "]), trace),
  );
}
