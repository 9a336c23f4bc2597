// Traces: a list that goes on by itself, its filters (which are part of the address), and one trace beside it.

import { empty, h, keyed, set, text } from "./dom.js";
import { clock, duration, method, moment } from "./format.js";
import { ask } from "./live.js";
import { address } from "./route.js";
import { traceView } from "./trace.js";

const AGAIN_MS = 2000;

/** The view: see main.js for what a view is. */
export function tracesView() {
  const service = h("select", { id: "service", change: () => filter() }, h("option", { value: "" }, "all"));
  const failed = h("input", { type: "checkbox", change: () => filter() });
  const slower = h("input", { type: "number", min: 0, step: "any", placeholder: "0", class: "short", change: () => filter() });
  const arrow = h("a", { class: "chip", hidden: true, title: "everywhere again" });
  const paused = h("span", { class: "dim", hidden: true }, "paused while you are here");
  const list = h("ol", { class: "traces" });
  const nothing = empty("No such traces yet.", "Make some calls: ", h("code", {}, "make demo"));
  const detail = traceView(() => back());
  const side = h(
    "section",
    { class: "card list", "aria-labelledby": "traces-title" },
    h("div", { class: "tools" }, h("h1", { id: "traces-title" }, "Traces"), paused),
    h("form", { class: "tools filters", submit: (event) => event.preventDefault() }, h("label", {}, "service", service), h("label", {}, failed, "errors"), h("label", {}, "over", slower, "ms"), arrow),
    list,
    nothing,
  );
  const element = h("div", { class: "traces-view", keydown: (event) => event.key === "Escape" && id && back() }, side, detail.element);
  let filters = {};
  let id = "";
  let timer = 0;
  let asking = new AbortController();
  let last = null; // the link that was followed, for coming back

  const busy = () => list.matches(":hover") || list.contains(document.activeElement);
  const load = async (again = false) => {
    clearTimeout(timer);
    const hold = again && busy() && list.children.length > 0;
    paused.hidden = !hold;
    if (!hold && !document.hidden) {
      asking.abort();
      asking = new AbortController();
      const found = await ask(`api/traces?${new URLSearchParams(filters)}`, asking.signal).catch((error) => error);
      if (found.name === "AbortError") return;
      // A mesh that does not run has no traces; the notice above says so.
      show(found instanceof Error ? [] : found);
    }
    timer = setTimeout(() => load(true), AGAIN_MS);
  };
  const show = (traces) => {
    nothing.hidden = traces.length > 0;
    for (const trace of traces) for (const one of trace.services) known(service, one.split(".")[0]);
    const longest = Math.max(...traces.map((trace) => trace.seconds), 0.000001);
    keyed(list, traces, (trace) => trace.id, row, (one, trace) => fill(one, trace, longest, filters, id));
  };
  const filter = () => {
    filters = { ...filters, service: service.value, failed: failed.checked ? "1" : "", slower: slower.value };
    location.hash = address("traces", id ? [id] : [], filters);
  };
  const back = () => {
    const from = last;
    location.hash = address("traces", [], filters);
    requestAnimationFrame(() => from?.isConnected && from.focus());
  };
  list.addEventListener("click", (event) => {
    last = event.target.closest("a") ?? last;
  });
  return {
    element,
    show(route) {
      const before = JSON.stringify(filters);
      filters = Object.fromEntries(Object.entries(route.filters).filter(([, value]) => value));
      id = route.parts[0] ?? "";
      known(service, filters.service);
      service.value = filters.service ?? "";
      failed.checked = Boolean(filters.failed);
      slower.value = filters.slower ?? "";
      arrow.hidden = !(filters.from || filters.to);
      text(arrow, filters.to ? `${shortly(filters.from) || "clients"} → ${shortly(filters.to)} ✕` : `${shortly(filters.from)} ✕`);
      arrow.href = address("traces", id ? [id] : [], { ...filters, from: "", to: "" });
      set(element, "data-open", id ? "yes" : null);
      for (const one of list.children) set(one.firstChild, "aria-current", one.dataset.key === id ? "true" : null);
      detail.show(id);
      if (before !== JSON.stringify(filters)) list.replaceChildren();
      load();
    },
    update(reading) {
      detail.update(reading);
    },
    close() {
      clearTimeout(timer);
      asking.abort();
      detail.close();
    },
  };
}

function known(select, value) {
  if (!value || [...select.options].some((option) => option.value === value)) return;
  select.append(h("option", { value }, value));
}

function shortly(workload) {
  return workload ? workload.split("/").at(-1) : "";
}

function row() {
  return h("li", {}, h("a", {}, h("span", { class: "dot" }), h("span", { class: "when" }), h("span", { class: "what" }), h("span", { class: "path" }), h("span", { class: "status" }), h("span", { class: "bar-cell" }, h("span", { class: "bar" })), h("span", { class: "long" })));
}

function fill(element, trace, longest, filters, open) {
  const link = element.firstChild;
  const [dot, when, what, path, status, cell, long] = link.children;
  set(link, "href", address("traces", [trace.id], filters));
  set(link, "aria-current", trace.id === open ? "true" : null);
  set(link, "title", `${moment(trace.started_at)}: ${trace.name}, ${trace.spans} spans of ${trace.services.join(", ")}`);
  set(link, "aria-label", `${method(trace.name)}, ${duration(trace.seconds * 1000)}${trace.failed ? `, ${trace.status === "OK" || !trace.status ? "with an error" : trace.status}` : ""}, at ${clock(trace.started_at)}`);
  const ended = !["", "OK"].includes(trace.status);
  set(dot, "data-tone", ended ? "bad" : trace.failed ? "warn" : null);
  text(path, [...new Set(trace.services.map((service) => service.split(".")[0]))].join(" → "));
  text(status, ended ? trace.status : "");
  text(when, clock(trace.started_at, 1));
  text(what, method(trace.name));
  cell.firstChild.style.width = `${Math.max(1, (100 * trace.seconds) / longest)}%`;
  set(cell.firstChild, "data-tone", ended ? "bad" : null);
  text(long, duration(trace.seconds * 1000));
}
