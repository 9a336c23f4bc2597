// One trace: its spans as a waterfall, who denied what, and the log lines of its calls.

import { empty, h, set, text } from "./dom.js";
import { clock, duration, method, moment, place } from "./format.js";
import { ask } from "./live.js";
import { lineOf } from "./logs.js";
import { policyAddress } from "./policies.js";
import { address } from "./route.js";

const TICKS = 4;
// How often, and how long after each other, a trace is asked for again: spans come in for some seconds after its end.
const MORE_MS = [1000, 2000, 4000, 8000];

/** {element, show(id), update(reading), close()}. `leave` is called for its button. */
export function traceView(leave) {
  const title = h("h2", { tabindex: -1 });
  const about = h("p", { class: "dim" });
  const axis = h("div", { class: "axis", "aria-hidden": "true" });
  const spans = h("div", { class: "spans", role: "list", "aria-label": "Spans" });
  const denial = h("section", { class: "denial", "data-tone": "bad", "aria-label": "Why it was denied" });
  const lines = h("ol", { class: "lines", tabindex: 0, "aria-label": "Log lines of this trace" });
  const noLines = empty("No log line names this trace.", "A program's line has its trace_id; so has its proxy's access log.");
  const missing = empty("");
  const body = h(
    "div",
    {},
    denial,
    h("section", { class: "waterfall", "aria-label": "Waterfall" }, axis, spans),
    h("section", { class: "of-trace", "aria-labelledby": "lines-title" }, h("h2", { id: "lines-title" }, "Logs of its calls"), lines, noLines),
  );
  const element = h("section", { class: "card detail", hidden: true, "aria-label": "Trace" }, h("div", { class: "tools" }, title, about, h("button", { type: "button", class: "quiet", click: leave, "aria-label": "Close the trace" }, "✕ close")), missing, body);
  let shown = "";
  let asking = new AbortController();
  let timer = 0;
  let drawn = "";
  let pods = new Map(); // their names, by address

  const load = async (id, rest) => {
    asking.abort();
    asking = new AbortController();
    try {
      const [trace, said] = await Promise.all([ask(`api/traces/${id}`, asking.signal), ask(`api/traces/${id}/logs`, asking.signal)]);
      draw(trace, said);
    } catch (error) {
      if (error.name === "AbortError") return;
      missing.hidden = false;
      body.hidden = true;
      text(missing.firstChild, `${error.message}.`);
    }
    if (rest.length) timer = setTimeout(() => load(id, rest.slice(1)), rest[0]);
  };
  const draw = (trace, said) => {
    const now = JSON.stringify([trace, said]);
    if (now === drawn) return;
    drawn = now;
    missing.hidden = true;
    body.hidden = false;
    const ordered = tree(trace.spans);
    const root = ordered[0].span;
    text(title, method(root.what));
    text(about, `${duration(trace.ms)} · ${trace.spans.length} span${trace.spans.length > 1 ? "s" : ""} · ${clock(trace.started_at, 3)} · ${trace.id}`);
    set(about, "title", moment(trace.started_at));
    axis.replaceChildren(h("span"), h("div", { class: "ticks" }, Array.from({ length: TICKS }, (_, index) => tick(index, trace.ms))), h("span", { class: "long" }, duration(trace.ms)));
    const open = new Set([...spans.querySelectorAll("details[open]")].map((one) => one.dataset.id));
    const focused = document.activeElement?.closest?.(".spans details")?.dataset.id;
    const first = ordered.find(({ span }) => span.denied)?.span;
    denial.hidden = !first;
    denial.replaceChildren(...(first ? [deniedBy(first.denied)] : []));
    spans.replaceChildren(...ordered.map(({ span, depth }) => spanOf(span, depth, trace, words(span, pods), open.has(span.id))));
    if (focused) spans.querySelector(`[data-id="${CSS.escape(focused)}"] summary`)?.focus();
    lines.replaceChildren(...said.map((line) => lineOf(line, false)));
    lines.hidden = !said.length;
    noLines.hidden = said.length > 0;
  };
  return {
    element,
    show(id) {
      element.hidden = !id;
      if (id === shown) return;
      shown = id;
      drawn = "";
      clearTimeout(timer);
      if (!id) return asking.abort();
      text(title, "…");
      text(about, id);
      body.hidden = true;
      missing.hidden = true;
      load(id, MORE_MS);
    },
    update(reading) {
      pods = new Map((reading.status?.pods ?? []).map((pod) => [pod.address, pod.name]));
    },
    close() {
      clearTimeout(timer);
      asking.abort();
    },
  };
}

/** The spans, each after its parent and before its parent's next child, with their depths. */
export function tree(spans) {
  const ids = new Set(spans.map((span) => span.id));
  const children = Map.groupBy ? Map.groupBy(spans, (span) => (ids.has(span.parent) ? span.parent : "")) : grouped(spans, ids);
  const ordered = [];
  const walk = (parent, depth) => {
    for (const span of children.get(parent) ?? []) {
      ordered.push({ span, depth });
      walk(span.id, depth + 1);
    }
  };
  walk("", 0);
  return ordered;
}

function grouped(spans, ids) {
  const found = new Map();
  for (const span of spans) {
    const parent = ids.has(span.parent) ? span.parent : "";
    found.set(parent, [...(found.get(parent) ?? []), span]);
  }
  return found;
}

function tick(index, ms) {
  const mark = h("span", { class: "tick" }, index ? duration((ms * index) / TICKS) : "0");
  mark.style.left = `${(100 * index) / TICKS}%`;
  return mark;
}

function spanOf(span, depth, trace, what, open) {
  const bar = h("span", { class: "bar" });
  const begin = (100 * span.begin_ms) / (trace.ms || 1);
  const width = Math.max(0.35, (100 * span.ms) / (trace.ms || 1));
  bar.style.left = `${begin}%`;
  bar.style.width = `${width}%`;
  const tag = span.failed ? h("span", { class: "tag", "data-tone": "bad" }, span.ended || "error") : null;
  const name = h("span", { class: "who" }, h("span", { class: "pod" }, span.who), h("span", { class: "role" }, span.role), h("span", { class: "what" }, what), span.links.length ? h("span", { class: "tag" }, span.links.length > 1 ? `${span.links.length} links` : "link") : null, tag);
  name.style.paddingLeft = `${Math.min(depth, 12) * 12}px`;
  const spoken = `${span.who} ${span.role}: ${what}, ${duration(span.ms)} from ${duration(span.begin_ms)}${span.failed ? `, ${span.ended}` : ""}`;
  const summary = h("summary", { "aria-label": spoken }, name, h("span", { class: "lane" }, bar), h("span", { class: "long" }, duration(span.ms)));
  const proxy = ["gateway", "sidecar in", "sidecar out", "attempt"].includes(span.role);
  const details = h("details", { role: "listitem", "data-id": span.id, "data-hue": hue(span.service), "data-proxy": proxy, "data-wrong": span.failed }, summary, inside(span));
  details.open = open;
  return details;
}

/** What a span did, in a word: the method's name, or the pod that an attempt went to. */
function words(span, pods) {
  const tried = span.what.match(/^→ ([\d.]+):\d+$/);
  return tried ? `→ ${pods.get(tried[1]) ?? tried[1]}` : method(span.what).split("/").at(-1);
}

/** Programs and their proxies share a colour: `chat` and `chat.mesh`, `user` and `user-v1.mesh`. */
function hue(service) {
  const base = service.split(".")[0].replace(/-v\d+$/, "");
  let sum = 0;
  for (const letter of base) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  return sum % 6;
}

function inside(span) {
  const rows = Object.entries({ span: span.id, service: span.service, ...span.attributes });
  return h(
    "div",
    { class: "inside" },
    span.denied ? deniedBy(span.denied) : null,
    span.acted.length ? places(span.acted) : null,
    span.notes.map((note) => h("p", {}, note)),
    span.links.map((id) => h("p", {}, "linked to trace ", h("a", { href: address("traces", [id]) }, id))),
    h("dl", {}, rows.flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, value)])),
  );
}

/** Why a call was denied, each rule a link to its place. */
function deniedBy(denied) {
  return h("div", { class: "denied" }, h("p", {}, h("strong", {}, denied.says), denied.places.length ? ":" : "."), places(denied.places));
}

function places(found) {
  return h("ul", {}, found.map((one) => h("li", {}, h("a", { href: policyAddress(one.file, one.line) }, `${one.policy}, ${place(one.file, one.line)}`), h("span", { class: "dim" }, ` ${one.says}`))));
}
