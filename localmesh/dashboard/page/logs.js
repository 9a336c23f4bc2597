// What the programs of a pod write, as they write it. At most MOST lines are kept; older ones go as new ones come.

import { empty, h, keyed, search, set, span, text } from "./dom.js";
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
  const wanted = search("only lines with", () => filter());
  const whole = h("input", { type: "checkbox", change: () => lines.classList.toggle("whole", whole.checked) });
  const at = h("button", { type: "button", class: "quiet", hidden: true, click: () => toEnd() }, "↓ follow");
  const nothing = empty("Nothing written yet.");
  const element = h(
    "div",
    { class: "split" },
    h("nav", { class: "card side", "aria-label": "Pods" }, list),
    h(
      "section",
      { class: "card logs" },
      h("div", { class: "tools" }, title, at, h("label", {}, whole, "all fields"), wanted),
      lines,
      nothing,
    ),
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
      const control = { key: CONTROL, words: "control plane", tone: reading.status ? "good" : "off" };
      keyed(list, [...pods.map(itemOf), control], (one) => one.key, item, colour);
      if (pod === null || (!asked && pod === CONTROL && pods.length)) choose();
      mark();
    },
    close: () => stop(),
  };
}

function itemOf({ namespace, name, state }) {
  return { key: `${namespace}/${name}`, words: name, tone: TONES[state] ?? "warn" };
}

function item({ key, words }) {
  return h("li", {}, h("a", { href: address("logs", key.split("/")) }, span("dot"), words));
}

function colour(element, { tone }) {
  set(element.querySelector(".dot"), "data-tone", tone);
}

/** One line: time, program, what it says, and a link to its trace. */
export function lineOf({ program, pod, text: raw }, linked = true) {
  const said = parseLine(raw);
  const words = said.parts.flatMap(([kind, value]) => [span(kind, value), " "]);
  const trace = linked && said.trace && h("a", { href: address("traces", [said.trace]) }, "trace");
  return h(
    "li",
    { "data-tone": said.tone, "data-raw": raw.toLowerCase(), title: raw },
    span("when", said.time),
    span("who", pod ? `${pod} ${program}` : program),
    span("what", ...words, trace),
  );
}
