// One trace: its waterfall, and the log lines of its calls.

import { empty, h, set, text } from "./dom.js";
import { clock, duration, method, moment } from "./format.js";
import { ask } from "./live.js";
import { lineOf } from "./logs.js";
import { tree, waterfall } from "./waterfall.js";

// How often, and how long after each other, a trace is asked for again: spans come in for some seconds after its end.
const MORE_MS = [1000, 2000, 4000, 8000];

/** {element, show(id), update(reading), close()}. `leave` is called for its button. */
export function traceView(leave) {
  const title = h("h2");
  const about = h("p", { class: "dim" });
  const picture = waterfall();
  const lines = linesOfCalls();
  const missing = empty("");
  const body = h("div", {}, picture.element, lines.element);
  const button = { type: "button", class: "quiet", "aria-label": "Close the trace" };
  const close = h("button", { ...button, click: leave }, "✕ close");
  const head = h("div", { class: "tools" }, title, about, close);
  const element = h("section", { class: "card detail", hidden: true, "aria-label": "Trace" }, head, missing, body);
  let shown = "";
  let drawn = "";
  let asking = new AbortController();
  let timer = 0;
  let pods = new Map(); // their names, by address

  const load = async (id, rest) => {
    asking.abort();
    asking = new AbortController();
    const urls = [`api/traces/${id}`, `api/traces/${id}/logs`];
    const found = await Promise.all(urls.map((url) => ask(url, asking.signal))).catch((error) => error);
    if (found.name === "AbortError") return;
    missing.hidden = !(found instanceof Error);
    body.hidden = !missing.hidden;
    if (found instanceof Error) text(missing.firstChild, `${found.message}.`);
    else draw(...found);
    if (rest.length) timer = setTimeout(() => load(id, rest.slice(1)), rest[0]);
  };
  const draw = (trace, said) => {
    const now = JSON.stringify([trace, said]);
    if (now === drawn) return;
    drawn = now;
    const spans = `${trace.spans.length} span${trace.spans.length > 1 ? "s" : ""}`;
    text(title, method(tree(trace.spans)[0].span.what));
    text(about, [duration(trace.ms), spans, clock(trace.started_at, 3), trace.id].join(" · "));
    set(about, "title", moment(trace.started_at));
    picture.draw(trace, pods);
    lines.draw(said);
  };
  const stop = () => {
    clearTimeout(timer);
    asking.abort();
  };
  return {
    element,
    show(id) {
      element.hidden = !id;
      if (id === shown) return;
      stop();
      [shown, drawn] = [id, ""];
      text(title, "…");
      text(about, id);
      body.hidden = missing.hidden = true;
      if (id) load(id, MORE_MS);
    },
    update(reading) {
      pods = new Map((reading.status?.pods ?? []).map((pod) => [pod.address, pod.name]));
    },
    close: stop,
  };
}

function linesOfCalls() {
  const title = h("h2", { id: "lines-title" }, "Logs of its calls");
  const list = h("ol", { class: "lines", tabindex: 0, "aria-label": "Log lines of this trace" });
  const nothing = empty("No log line names this trace.", "Programs and proxies write theirs when a call ends.");
  return {
    element: h("section", { class: "of-trace", "aria-labelledby": "lines-title" }, title, list, nothing),
    draw(said) {
      list.replaceChildren(...said.map((line) => lineOf(line, false)));
      list.hidden = !said.length;
      nothing.hidden = said.length > 0;
    },
  };
}
