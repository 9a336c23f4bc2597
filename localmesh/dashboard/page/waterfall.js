// The spans of a trace, each a bar at its time, below what called it; and what a policy did to them.

import { h, span as words } from "./dom.js";
import { duration, method, place } from "./format.js";
import { policyAddress } from "./policies.js";
import { address } from "./route.js";

const TICKS = 4;
const PROXIES = ["gateway", "sidecar in", "sidecar out", "attempt"];
// So deep a span is still moved to the right.
const DEEPEST = 12;

/** {element, draw(trace, pods)}; `pods` are names by address. Drawn again, a span stays open, and focused. */
export function waterfall() {
  const axis = h("div", { class: "axis", "aria-hidden": "true" });
  const list = h("div", { class: "spans", role: "list", "aria-label": "Spans" });
  const denial = h("section", { class: "denial", "data-tone": "bad", "aria-label": "Why it was denied" });
  return {
    element: h("div", {}, denial, h("section", { class: "waterfall", "aria-label": "Waterfall" }, axis, list)),
    draw(trace, pods) {
      const ordered = tree(trace.spans);
      const denied = ordered.find(({ span }) => span.denied)?.span.denied;
      denial.hidden = !denied;
      denial.replaceChildren(...(denied ? [deniedBy(denied)] : []));
      axis.replaceChildren(h("span"), ticks(trace.ms), words("long", duration(trace.ms)));
      const open = new Set([...list.querySelectorAll("details[open]")].map((one) => one.dataset.id));
      const focused = document.activeElement?.closest?.(".spans details")?.dataset.id;
      list.replaceChildren(...ordered.map(({ span, depth }) => rowOf(span, depth, trace.ms, pods, open.has(span.id))));
      if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"] summary`)?.focus();
    },
  };
}

/**
 * The spans, each after its parent and before its parent's next child, with their depths. Spans whose parents are not
 * there, or go in a circle, stand at the left edge.
 */
export function tree(spans) {
  const ids = new Set(spans.map((span) => span.id));
  const children = new Map();
  for (const span of spans) {
    const parent = ids.has(span.parent) ? span.parent : "";
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const ordered = [];
  const seen = new Set();
  const waiting = [];
  const push = (some, depth) => waiting.push(...[...some].reverse().map((span) => ({ span, depth })));
  const walk = () => {
    while (waiting.length) {
      const { span, depth } = waiting.pop();
      if (seen.has(span.id)) continue;
      seen.add(span.id);
      ordered.push({ span, depth });
      push(children.get(span.id) ?? [], depth + 1);
    }
  };
  push(children.get("") ?? [], 0);
  walk();
  for (const span of spans) {
    push([span], 0);
    walk();
  }
  return ordered;
}

function ticks(ms) {
  const marks = Array.from({ length: TICKS }, (_, index) => {
    const mark = words("tick", index ? duration((ms * index) / TICKS) : "0");
    mark.style.left = `${(100 * index) / TICKS}%`;
    return mark;
  });
  return h("div", { class: "ticks" }, marks);
}

function rowOf(span, depth, wholeMs, pods, open) {
  const what = wordOf(span, pods);
  const ended = span.failed ? `, ${span.ended}` : "";
  const spoken = `${span.who} ${span.role}: ${what}, ${duration(span.ms)} from ${duration(span.begin_ms)}${ended}`;
  const long = words("long", duration(span.ms));
  const summary = h("summary", { "aria-label": spoken }, name(span, what, depth), lane(span, wholeMs), long);
  const looks = { "data-hue": hue(span.service), "data-proxy": PROXIES.includes(span.role), "data-wrong": span.failed };
  const details = h("details", { role: "listitem", "data-id": span.id, ...looks }, summary, inside(span));
  details.open = open;
  return details;
}

function name(span, what, depth) {
  const links = span.links.length && words("tag", span.links.length > 1 ? `${span.links.length} links` : "link");
  const ended = span.failed && h("span", { class: "tag", "data-tone": "bad" }, span.ended || "error");
  const who = [words("pod", span.who), words("role", span.role), words("what", what)];
  const made = h("span", { class: "who" }, who, links || null, ended);
  made.style.paddingLeft = `${Math.min(depth, DEEPEST) * 12}px`;
  return made;
}

function lane(span, wholeMs) {
  const bar = words("bar");
  bar.style.left = `${(100 * span.begin_ms) / (wholeMs || 1)}%`;
  bar.style.width = `${Math.max(0.35, (100 * span.ms) / (wholeMs || 1))}%`;
  return words("lane", bar);
}

/** What a span did, in a word: the method's name, or the pod that an attempt went to. */
function wordOf(span, pods) {
  const tried = span.what.match(/^→ ([\d.]+):\d+$/);
  return tried ? `→ ${pods.get(tried[1]) ?? tried[1]}` : method(span.what).split("/").at(-1);
}

/** Programs and their proxies share a colour: `chat` and `chat.mesh`. */
function hue(service) {
  let sum = 0;
  for (const letter of service.split(".")[0]) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  return sum % 6;
}

function inside(span) {
  const rows = Object.entries({ span: span.id, service: span.service, ...span.attributes });
  const links = span.links.map((id) => h("a", { href: address("traces", [id]) }, id));
  return h(
    "div",
    { class: "inside" },
    span.denied ? deniedBy(span.denied) : null,
    span.acted.length ? places(span.acted) : null,
    span.notes.map((note) => h("p", {}, note)),
    links.map((link) => h("p", {}, "linked to trace ", link)),
    h("dl", {}, rows.flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, value)])),
  );
}

/** Why a call was denied, each rule a link to its place. */
function deniedBy({ says, places: found }) {
  return h("div", { class: "denied" }, h("p", {}, h("strong", {}, says), found.length ? ":" : "."), places(found));
}

function places(found) {
  const item = ({ policy, file, line, says }) => {
    const link = h("a", { href: policyAddress(file, line) }, `${policy}, ${place(file, line)}`);
    return h("li", {}, link, words("dim", ` ${says}`));
  };
  return h("ul", {}, found.map(item));
}
