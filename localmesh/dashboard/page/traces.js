// Traces: a list that goes on by itself, its filters, and one trace beside it.

import { empty, h, keyed, set, span, text } from "./dom.js";
import { traceFilters } from "./filters.js";
import { clock, duration, method, moment } from "./format.js";
import { ask } from "./live.js";
import { address } from "./route.js";
import { traceView } from "./trace.js";

const AGAIN_MS = 2000;

/** The view: see main.js for what a view is. */
export function tracesView() {
  const paused = h("span", { class: "dim", hidden: true }, "paused while you are here");
  const list = h("ol", { class: "traces" });
  const nothing = empty("No such traces yet.", "Make some calls: ", h("code", {}, "make demo"));
  const wrong = empty("");
  wrong.hidden = true;
  const filter = traceFilters((changed) => (location.hash = address("traces", id ? [id] : [], changed)));
  const detail = traceView(() => back());
  const head = h("div", { class: "tools" }, h("h1", { id: "traces-title" }, "Traces"), paused);
  const about = { class: "card list", "aria-labelledby": "traces-title" };
  const side = h("section", about, head, filter.element, list, nothing, wrong);
  const escape = (event) => event.key === "Escape" && id && back();
  const element = h("div", { class: "traces-view", keydown: escape }, side, detail.element);
  let filters = {};
  let id = "";
  let timer = 0;
  let asking = new AbortController();
  let last = null; // the link that was followed, for coming back

  /** Whoever points at a row or has it in focus shall not have it taken away. */
  const busy = () => list.children.length > 0 && (list.matches(":hover") || list.contains(document.activeElement));
  const load = async (again = false) => {
    clearTimeout(timer);
    paused.hidden = !(again && busy());
    if (paused.hidden && !document.hidden) {
      asking.abort();
      asking = new AbortController();
      const found = await ask(`api/traces?${new URLSearchParams(filters)}`, asking.signal).catch((error) => error);
      if (found.name === "AbortError") return;
      const failed = found instanceof Error;
      draw(failed ? [] : found);
      wrong.hidden = !failed;
      if (failed) {
        nothing.hidden = true;
        text(wrong.firstChild, `${found.message}.`);
      }
    }
    timer = setTimeout(() => load(true), AGAIN_MS);
  };
  const draw = (traces) => {
    nothing.hidden = traces.length > 0;
    filter.offer(traces.flatMap((trace) => trace.services.map((service) => service.split(".")[0])));
    const longest = Math.max(...traces.map((trace) => trace.seconds), 0.000001);
    keyed(list, traces, (trace) => trace.id, row, (one, trace) => fill(one, trace, longest));
    link();
  };
  const link = () => {
    for (const { dataset, firstChild } of list.children) {
      set(firstChild, "href", address("traces", [dataset.key], filters));
      set(firstChild, "aria-current", dataset.key === id ? "true" : null);
    }
  };
  const back = () => {
    location.hash = address("traces", [], filters);
    requestAnimationFrame(() => last?.isConnected && last.focus());
  };
  list.addEventListener("click", (event) => (last = event.target.closest("a") ?? last));
  return {
    element,
    show(route) {
      if (JSON.stringify(filters) !== JSON.stringify(route.filters)) list.replaceChildren();
      filters = route.filters;
      id = route.parts[0] ?? "";
      filter.show(filters, id);
      set(element, "data-open", id ? "yes" : null);
      link();
      detail.show(id);
      load();
    },
    update: detail.update,
    close() {
      clearTimeout(timer);
      asking.abort();
      detail.close();
    },
  };
}

function row() {
  const parts = ["dot", "when", "what", "path", "status"].map((kind) => span(kind));
  return h("li", {}, h("a", {}, parts, span("bar-cell", span("bar")), span("long")));
}

function fill(element, trace, longest) {
  const link = element.firstChild;
  const [dot, when, what, path, status, cell, long] = link.children;
  // An error that a retry made good is none of the whole.
  const ended = ["", "OK"].includes(trace.status) ? "" : trace.status;
  const took = duration(trace.seconds * 1000);
  const error = ended || (trace.failed ? "with an error" : "");
  const words = [method(trace.name), took, error, `at ${clock(trace.started_at)}`];
  set(link, "aria-label", words.filter(Boolean).join(", "));
  set(link, "title", `${moment(trace.started_at)}: ${trace.name}, ${trace.spans} spans`);
  set(dot, "data-tone", ended ? "bad" : trace.failed ? "warn" : null);
  text(when, clock(trace.started_at, 1));
  text(what, method(trace.name));
  text(path, [...new Set(trace.services.map((service) => service.split(".")[0]))].join(" → "));
  text(status, ended);
  cell.firstChild.style.width = `${Math.max(1, (100 * trace.seconds) / longest)}%`;
  set(cell.firstChild, "data-tone", ended ? "bad" : null);
  text(long, took);
}
