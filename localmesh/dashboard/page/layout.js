// Where nodes and arrows go: callers left, called right. Pure: values in, coordinates out.
//
// The method is Sugiyama's, as dot has it: break cycles, give each node a column by the longest way to it, bend arrows
// around what lies between, order the columns so that few arrows cross, then straighten. An arrow's label is a box in
// the gap behind its caller and takes part in all of that, so that no label ever lies on another.

const SWEEPS = 12;
const BEND = { width: 0, height: 8 };

/**
 * nodes: [{id, width, height}], arrows: [{id, source, target, width, height}] (of the label).
 * Returns {width, height, nodes: Map(id → {x, y}) of centres, arrows: Map(id → {points, label: {x, y}})}.
 */
export function layout(nodes, arrows, { columnGap = 26, rowGap = 18, margin = 16 } = {}) {
  const known = new Set(nodes.map((node) => node.id));
  const joins = ({ source, target }) => known.has(source) && known.has(target) && source !== target;
  const drawn = arrows.filter(joins);
  const turned = backwards(nodes, drawn);
  const ends = (arrow) => (turned.has(arrow) ? [arrow.target, arrow.source] : [arrow.source, arrow.target]);
  const column = columns(nodes, drawn.map(ends));
  const box = (node) => ({ ...node, column: 2 * column.get(node.id), next: [], before: [] });
  const boxes = new Map(nodes.map((node) => [node.id, box(node)]));
  const chains = drawn.map((arrow) => chain(arrow, ...ends(arrow), boxes));
  const rows = ordered(boxes);
  const centres = straightened(rows, rowGap);
  const lefts = across(rows, columnGap, margin);
  const top = Math.min(...centres.values(), Infinity);
  const at = (box) => ({ x: lefts[box.column].x + lefts[box.column].width / 2, y: centres.get(box) });
  const half = Math.max(0, ...[...centres.keys()].map((box) => box.height / 2 - (centres.get(box) - top)));
  const shift = margin + half - (Number.isFinite(top) ? top : 0);
  const put = (box) => ({ x: at(box).x, y: at(box).y + shift });
  const height = Math.max(0, ...[...boxes.values()].map((box) => put(box).y + box.height / 2)) + margin;
  const last = lefts.at(-1);
  return {
    width: last ? last.x + last.width + margin : 2 * margin,
    height,
    nodes: new Map(nodes.map((node) => [node.id, put(boxes.get(node.id))])),
    arrows: new Map(drawn.map((arrow, index) => [arrow.id, way(chains[index], turned.has(arrow), put, lefts)])),
  };
}

/** The arrows that close a cycle: they are laid out from right to left. */
function backwards(nodes, arrows) {
  const from = new Map(nodes.map((node) => [node.id, arrows.filter((arrow) => arrow.source === node.id)]));
  const state = new Map();
  const found = new Set();
  const visit = (id) => {
    state.set(id, "open");
    for (const arrow of from.get(id)) {
      if (state.get(arrow.target) === "open") found.add(arrow);
      else if (!state.has(arrow.target)) visit(arrow.target);
    }
    state.set(id, "done");
  };
  const called = new Set(arrows.map((arrow) => arrow.target));
  const callersFirst = [...nodes].sort((a, b) => called.has(a.id) - called.has(b.id));
  for (const node of callersFirst) if (!state.has(node.id)) visit(node.id);
  return found;
}

/** Each node's column: one more than its callers' rightmost. */
function columns(nodes, pairs) {
  const column = new Map(nodes.map((node) => [node.id, 0]));
  for (let round = 0; round < nodes.length; round++) {
    let moved = false;
    for (const [source, target] of pairs) {
      if (column.get(target) <= column.get(source)) {
        column.set(target, column.get(source) + 1);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return column;
}

/** The boxes that an arrow passes: its ends, its label in the gap behind the left end, and bends beyond. */
function chain(arrow, left, right, boxes) {
  const path = [boxes.get(left)];
  for (let at = boxes.get(left).column + 1; at < boxes.get(right).column; at++) {
    const { width, height } = path.length === 1 ? arrow : BEND;
    const box = { column: at, width, height, bend: true, next: [], before: [] };
    boxes.set(`${arrow.id}@${at}`, box);
    path.push(box);
  }
  path.push(boxes.get(right));
  for (let index = 1; index < path.length; index++) {
    path[index - 1].next.push(path[index]);
    path[index].before.push(path[index - 1]);
  }
  return path;
}

/** The columns, each with its boxes from top to bottom: the order of the fewest crossings that was seen. */
function ordered(boxes) {
  const rows = [];
  for (const box of boxes.values()) (rows[box.column] ??= []).push(box);
  for (let index = 0; index < rows.length; index++) rows[index] ??= [];
  let best = rows.map((row) => [...row]);
  let fewest = crossings(best);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const forth = sweep % 2 === 0;
    const order = [...rows.keys()];
    for (const index of forth ? order : order.reverse()) sortRow(rows, index, forth ? "before" : "next");
    const now = crossings(rows);
    if (now < fewest) [best, fewest] = [rows.map((row) => [...row]), now];
  }
  return best;
}

function sortRow(rows, index, side) {
  const neighbours = rows[index + (side === "before" ? -1 : 1)];
  if (!neighbours) return;
  const place = new Map(neighbours.map((box, at) => [box, at]));
  const weight = new Map(rows[index].map((box, at) => [box, mean(box[side].map((other) => place.get(other)), at)]));
  rows[index].sort((a, b) => weight.get(a) - weight.get(b));
}

function mean(values, otherwise) {
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : otherwise;
}

function crossings(rows) {
  let found = 0;
  for (let index = 0; index + 1 < rows.length; index++) {
    const place = new Map(rows[index + 1].map((box, at) => [box, at]));
    const ends = rows[index].flatMap((box) => box.next.map((other) => place.get(other)).sort((a, b) => a - b));
    for (let one = 0; one < ends.length; one++) {
      for (let other = one + 1; other < ends.length; other++) found += ends[one] > ends[other];
    }
  }
  return found;
}

/** Each box's place from above: near its neighbours, in order, never on another; bends in one line if they can. */
function straightened(rows, gap) {
  const y = new Map();
  for (const row of rows) {
    let at = 0;
    for (const box of row) {
      y.set(box, at + box.height / 2);
      at += box.height + gap;
    }
  }
  for (let sweep = 0; sweep < 3 * SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const row of forth ? rows : [...rows].reverse()) {
      const pulls = row.map((box) => pull(box, y));
      spread(row, pulls, gap).forEach((value, index) => y.set(row[index], value));
    }
  }
  return y;
}

/** Where its neighbours want a box, and how much: two bends of one arrow more than a bend and a box, or two boxes. */
function pull(box, y) {
  let [sum, weight] = [0, 0];
  for (const other of [...box.before, ...box.next]) {
    const strength = box.bend && other.bend ? 8 : box.bend || other.bend ? 2 : 1;
    sum += strength * y.get(other);
    weight += strength;
  }
  return weight ? { at: sum / weight, weight } : { at: y.get(box), weight: 0.1 };
}

/**
 * The places nearest to the wanted ones (weighted least squares) at which no two boxes overlap: by pooling adjacent
 * violators.
 */
function spread(row, pulls, gap) {
  const offset = [];
  row.forEach((box, index) => {
    offset[index] = index ? offset[index - 1] + row[index - 1].height / 2 + gap + box.height / 2 : 0;
  });
  const pools = [];
  pulls.forEach(({ at, weight }, index) => {
    let pool = { sum: weight * (at - offset[index]), weight, size: 1 };
    while (pools.length && pools.at(-1).sum / pools.at(-1).weight >= pool.sum / pool.weight) {
      const before = pools.pop();
      pool = { sum: before.sum + pool.sum, weight: before.weight + pool.weight, size: before.size + pool.size };
    }
    pools.push(pool);
  });
  const places = pools.flatMap((pool) => Array(pool.size).fill(pool.sum / pool.weight));
  return places.map((value, index) => value + offset[index]);
}

/** Each column's left edge and width. */
function across(rows, gap, margin) {
  let x = margin;
  return rows.map((row) => {
    const found = { x, width: Math.max(0, ...row.map((box) => box.width)) };
    x += found.width + gap;
    return found;
  });
}

/** The points of an arrow: out of its caller's side, level through every column that it passes, into the called. */
function way(path, turned, put, columns) {
  const [first, last] = [path[0], path.at(-1)];
  const points = [{ x: put(first).x + first.width / 2, y: put(first).y }];
  for (const box of path.slice(1, -1)) {
    const { x, width } = columns[box.column];
    points.push({ x, y: put(box).y }, { x: x + width, y: put(box).y });
  }
  points.push({ x: put(last).x - last.width / 2, y: put(last).y });
  return { points: turned ? points.reverse() : points, label: put(path[1]), turned };
}
