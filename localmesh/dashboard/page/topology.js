// The picture of who calls whom. Drawn anew only when a node or an arrow comes or goes; numbers change in place, so
// that what has the focus keeps it.

import { empty, h, s, set, text } from "./dom.js";
import { duration, percent, rate, short } from "./format.js";
import { layout } from "./layout.js";
import { address } from "./route.js";

const NODE_HEIGHT = 46;
const LABEL = { width: 112, height: 36 };
// Of TCP only the number of connections is known.
const SHORT_LABEL = { width: 72, height: 36 };
const LONGEST_NAME = 18; // characters
// Smaller than this, text is hard to read: the picture scrolls instead.
const SMALLEST = 0.82;
// Of the frame, as style.css has it.
const PADDING = 14;
const LOCK = "M2.6 4.6V3.3a2.4 2.4 0 0 1 4.8 0v1.3M1.7 4.6h6.6v5H1.7z";
const OPEN = "M2.6 4.6V3.3a2.4 2.4 0 0 1 4.6-.9M1.7 4.6h6.6v5H1.7z";

/** {element, update(reading), close()}. */
export function topology() {
  const nothing = empty("No calls yet.", "Make some: ", h("code", {}, "make demo"));
  const name = { role: "group", "aria-label": "Workloads and the calls between them" };
  const frame = h("div", { class: "picture scroll", tabindex: 0, ...name });
  const element = h("div", {}, frame, nothing);
  let drawn = null; // {signature, svg, nodes: Map, arrows: Map}
  const fit = () => drawn && size(drawn, frame.clientWidth - 2 * PADDING);
  const watch = new ResizeObserver(fit);
  watch.observe(frame);
  return {
    element,
    update(reading) {
      const graph = graphOf(reading);
      const shapes = graph.arrows.map(({ id, http }) => [id, http]);
      const signature = JSON.stringify([graph.nodes.map((node) => node.id), shapes]);
      if (signature !== drawn?.signature) {
        const focused = document.activeElement?.dataset?.id;
        drawn = { signature, ...draw(graph) };
        frame.replaceChildren(drawn.svg);
        fit();
        if (focused) drawn.svg.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
      }
      frame.hidden = !graph.nodes.length;
      nothing.hidden = graph.arrows.some(({ http }) => http);
      graph.nodes.forEach((node) => fillNode(drawn.nodes.get(node.id), node));
      graph.arrows.forEach((arrow) => fillArrow(drawn.arrows.get(arrow.id), arrow));
    },
    close: () => watch.disconnect(),
  };
}

/** Workloads with their pods, what is called beyond them, and the arrows between. */
function graphOf(reading) {
  const nodes = new Map();
  for (const pod of reading.status?.pods ?? []) {
    const id = pod.workload;
    if (!nodes.has(id)) nodes.set(id, { id, pods: [] });
    nodes.get(id).pods.push(pod);
  }
  for (const arrow of reading.arrows) {
    for (const id of [arrow.source, arrow.target]) if (!nodes.has(id)) nodes.set(id, { id, pods: [], outside: true });
    if (!arrow.source) nodes.get("").title = "clients";
  }
  const namespaces = new Set([...nodes.values()].filter((node) => !node.outside).map((node) => node.id.split("/")[0]));
  const namespace = namespaces.size === 1 ? [...namespaces][0] : "";
  for (const node of nodes.values()) node.name = node.title ?? short(node.id, namespace);
  const named = (id) => nodes.get(id).name;
  const arrows = reading.arrows.map((arrow) => {
    const { source, target } = arrow;
    return { ...arrow, id: `${source}→${target}`, from: named(source), to: named(target) };
  });
  return { nodes: [...nodes.values()], arrows };
}

function draw(graph) {
  const nodes = graph.nodes.map((node) => ({ id: node.id, ...sizeOf(node) }));
  const arrows = graph.arrows.map((arrow) => {
    const { id, source, target } = arrow;
    return { id, source, target, ...labelOf(arrow) };
  });
  const plan = layout(nodes, arrows, { columnGap: 13, rowGap: 14, margin: 12 });
  const svg = s("svg", { viewBox: `0 0 ${plan.width} ${plan.height}`, "aria-hidden": "false" });
  const drawnArrows = new Map();
  const drawnNodes = new Map();
  for (const arrow of graph.arrows) {
    const way = plan.arrows.get(arrow.id);
    if (way) drawnArrows.set(arrow.id, arrowOf(arrow, way));
  }
  for (const node of graph.nodes) drawnNodes.set(node.id, nodeOf(node, plan.nodes.get(node.id)));
  svg.append(...[...drawnArrows.values(), ...drawnNodes.values()].map(({ element }) => element));
  return { svg, nodes: drawnNodes, arrows: drawnArrows, width: plan.width, height: plan.height };
}

function size(drawn, room) {
  const scale = Math.min(1.15, Math.max(SMALLEST, room / drawn.width));
  set(drawn.svg, "width", Math.floor(drawn.width * scale));
  set(drawn.svg, "height", Math.floor(drawn.height * scale));
}

/** Wide enough for its name, in the letters of style.css. */
function sizeOf(node) {
  return { width: Math.max(78, 26 + 7.3 * Math.min(node.name.length, LONGEST_NAME)), height: NODE_HEIGHT };
}

function labelOf(arrow) {
  return arrow.http ? LABEL : SHORT_LABEL;
}

// --- nodes ----------------------------------------------------------------------------------------------------------

function nodeOf(node, at) {
  const name = s("text", { class: "name", y: -4 });
  const dots = s("g", { class: "dots" });
  const { width, height } = sizeOf(node);
  const box = s("rect", { x: -width / 2, y: -height / 2, width, height, rx: 7 });
  const inside = [box, name, dots];
  const place = { class: "node", transform: `translate(${at.x} ${at.y})`, "data-id": node.id };
  const first = node.pods[0];
  const logs = first && address("logs", [first.namespace, first.name]);
  const element = first ? s("a", { ...place, href: logs }, inside) : s("g", { ...place, role: "img" }, inside);
  return { element, name, dots };
}

function fillNode({ element, name, dots }, node) {
  text(name, cut(node.name, LONGEST_NAME));
  const ready = node.pods.filter((pod) => pod.ready).length;
  const state = node.outside ? "not a workload of this mesh" : `${ready} of ${node.pods.length} pods ready`;
  set(element, "aria-label", `${node.name}: ${state}`);
  set(element, "data-tone", node.outside ? "off" : ready === node.pods.length ? "good" : ready ? "warn" : "bad");
  const most = 9;
  const shown = node.pods.slice(0, most);
  const words = node.outside ? "outside" : `${ready}/${node.pods.length}`;
  const tone = (pod) => (pod.ready ? "good" : "bad");
  const marks = shown.map((pod, index) => s("circle", { r: 3, cx: index * 9, cy: 0, "data-tone": tone(pod) }));
  const label = s("text", { class: "small", x: marks.length ? shown.length * 9 : 0, y: 3.5 }, words);
  const width = shown.length * 9 + 6 * words.length;
  set(dots, "transform", `translate(${-width / 2 + 3} 11)`);
  dots.replaceChildren(...marks, label);
}

function cut(words, most) {
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}

// --- arrows ---------------------------------------------------------------------------------------------------------

function arrowOf(arrow, { points, label }) {
  const { width, height } = labelOf(arrow);
  const path = curve(points);
  const line = s("path", { class: "line", d: path });
  const head = s("path", { class: "head", d: "M0 0 L-7 -3.6 L-7 3.6 Z", transform: pointing(points) });
  const lock = s("path", { class: "lock", d: LOCK });
  const top = s("text", { class: "rate" });
  const bottom = s("text", { class: "small" });
  const words = s(
    "g",
    { transform: `translate(${label.x} ${label.y})` },
    s("rect", { class: "back", x: -width / 2, y: -height / 2, width, height, rx: 5 }),
    s("g", { transform: `translate(${-width / 2 + 5} -14)` }, lock),
    top,
    bottom,
  );
  set(top, "y", -4.5);
  set(bottom, "y", 12);
  // What went over a TCP connection is in no trace: those of its caller are the nearest.
  const traces = address("traces", [], { from: arrow.source, to: arrow.http ? arrow.target : "" });
  const element = s(
    "a",
    { class: "arrow", "data-id": arrow.id, href: traces },
    s("path", { class: "hit", d: path }),
    line,
    head,
    words,
  );
  return { element, line, lock, top, bottom };
}

/** A smooth line through points that go level through the columns. */
function curve(points) {
  const [first, ...rest] = points;
  let before = first;
  return [`M${first.x} ${first.y}`]
    .concat(
      rest.map((point) => {
        const { x, y } = point;
        const middle = (before.x + x) / 2;
        const part = y === before.y ? `L${x} ${y}` : `C${middle} ${before.y} ${middle} ${y} ${x} ${y}`;
        before = point;
        return part;
      }),
    )
    .join(" ");
}

function pointing(points) {
  const [last, before] = [points.at(-1), points.at(-2)];
  return `translate(${last.x} ${last.y}) rotate(${last.x < before.x ? 180 : 0})`;
}

function fillArrow(drawn, arrow) {
  if (!drawn) return;
  const failing = arrow.errors + arrow.denied > 0;
  const [top, bottom, spoken] = !arrow.http ? connectionWords(arrow) : callWords(arrow);
  text(drawn.top, top);
  text(drawn.bottom, bottom);
  set(drawn.lock, "d", arrow.mtls ? LOCK : OPEN);
  set(drawn.lock, "data-tone", arrow.mtls ? "good" : arrow.mtls === false ? "bad" : "off");
  set(drawn.lock, "visibility", arrow.mtls === null ? "hidden" : null);
  set(drawn.top, "x", -labelOf(arrow).width / 2 + (arrow.mtls === null ? 6 : 19));
  set(drawn.element, "data-tone", failing ? "bad" : arrow.http && arrow.rate > 0 ? "live" : "off");
  set(drawn.line, "stroke-width", arrow.http ? (1.2 + Math.min(2.8, Math.log10(1 + arrow.rate))).toFixed(2) : 1.2);
  const secured = arrow.mtls ? "mutual TLS" : arrow.mtls === false ? "not mutual TLS" : "from outside";
  const leads = arrow.http ? "its traces" : `the traces of ${arrow.from}`;
  set(drawn.element, "aria-label", `${arrow.from} calls ${arrow.to}: ${spoken}, ${secured}. Show ${leads}`);
}

/** The two lines of a label, and what is read aloud. */
function callWords(arrow) {
  const share = arrow.rate > 0 ? Math.min(1, (arrow.errors + arrow.denied) / arrow.rate) : 0;
  const failed = share > 0 ? `  ${percent(share)} ✕` : "";
  const calls = `${rate(arrow.rate)} calls a second, ${percent(share)} errors`;
  // Envoy tells of latencies some seconds later than of calls.
  if (arrow.p50_ms === null) return [`${rate(arrow.rate)}/s${failed}`, arrow.rate > 0 ? "…" : "idle", calls];
  const [half, most] = [duration(arrow.p50_ms), duration(arrow.p99_ms)];
  const spoken = `${calls}, half within ${half}, 99 of 100 within ${most}`;
  return [`${rate(arrow.rate)}/s${failed}`, `${half} · ${most}`, spoken];
}

function connectionWords(arrow) {
  const open = `${arrow.active} open`;
  return [open, "tcp", `${arrow.active} connection${arrow.active === 1 ? "" : "s"} open`];
}
