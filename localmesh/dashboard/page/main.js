// The page: one stream of readings, one view at a time, and the address that says which.

import { empty, h, keyed, set, span, text } from "./dom.js";
import { age, place } from "./format.js";
import { follow } from "./live.js";
import { parse } from "./route.js";
import { logsView } from "./logs.js";
import { meshView } from "./mesh.js";
import { policiesView } from "./policies.js";
import { tracesView } from "./traces.js";

const VIEWS = { mesh: meshView, logs: logsView, policies: policiesView, traces: tracesView };
const TITLES = { mesh: "Mesh", logs: "Logs", policies: "Policies", traces: "Traces" };

const main = document.getElementById("main");
let reading = null; // the newest, or null before the first
let view = null; // what is shown: {name, element, show(place), update(reading), close()}

function go() {
  const route = parse(location.hash);
  const name = route.view in VIEWS ? route.view : "mesh";
  if (view?.name !== name) {
    view?.close?.();
    view = { name, ...VIEWS[name]() };
    main.replaceChildren(view.element);
    window.scrollTo(0, 0);
    // Whoever followed a link that is gone now goes on from the beginning of the view, not of the page.
    if (document.activeElement === document.body && reading) main.focus({ preventScroll: true });
  }
  for (const link of document.querySelectorAll("#views a")) {
    set(link, "aria-current", link.dataset.view === name ? "page" : null);
  }
  document.title = `${TITLES[name]} · localmesh`;
  view.show?.(route);
  if (reading) view.update?.(reading);
}

function tell(newest) {
  reading = newest;
  document.body.dataset.mesh = reading.status ? "up" : "down";
  summarize();
  notices();
  view.update?.(reading);
}

/** The line in the header: is it alive, is it well. */
function summarize() {
  const { status, why } = reading;
  if (!status) return header(why, "bad");
  const ready = status.pods.filter((pod) => pod.ready).length;
  const all = status.pods.length;
  const well = ready === all && !status.problems.length;
  const pods = `${ready} of ${all} pods ready`;
  const beside = [`up ${age(status.started_at, reading.at)}`, ...status.gateways];
  return header(status.started ? pods : `starting: ${pods}`, well ? "good" : "warn", beside);
}

/** What is well or not is read aloud when it changes; what stands beside changes all the time, and is not. */
function header(words, tone, beside = []) {
  const line = document.getElementById("state");
  text(line, words);
  set(line, "data-tone", tone);
  text(document.getElementById("beside"), beside.map((word) => ` · ${word}`).join(""));
}

/** What needs a person: files that are not in force, and what was probably not meant. */
function notices() {
  keyed(document.getElementById("notices"), needs(reading), (one) => JSON.stringify(one), notice);
}

function needs({ status, why, hint }) {
  if (!status) return [{ tone: "bad", title: `${sentence(why)}.`, hint, lines: [], more: "This page waits for it." }];
  const found = [];
  if (status.problems.length) {
    const title = "The files on disk are not in force; the mesh runs as it did before.";
    found.push({ tone: "bad", title, lines: status.problems });
  }
  if (status.warnings.length) {
    const title = `${status.warnings.length} warning${status.warnings.length > 1 ? "s" : ""}`;
    found.push({ tone: "warn", title, lines: status.warnings, folded: true });
  }
  return found;
}

function notice({ tone, title, lines, more, hint, folded }) {
  const list = h("ul", {}, lines.map(problemOf));
  if (folded) return h("details", { class: "notice", "data-tone": tone }, h("summary", {}, title), list);
  const attempt = hint ? [" Try ", h("code", {}, hint), "."] : null;
  const words = h("p", {}, h("strong", {}, title), attempt, more ? ` ${more}` : null);
  return h("section", { class: "notice", "data-tone": tone, role: "alert" }, words, lines.length ? list : null);
}

function problemOf({ file, line, path, what, hint }) {
  return h("li", {}, h("code", {}, place(file, line)), path ? ` ${path}: ` : " ", what, span("dim", ` ${hint}`));
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

main.append(empty("Asking the mesh …"));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the # is the address of views
  main.focus();
});
window.addEventListener("hashchange", go);
go();
follow("api/mesh", {
  mesh: tell,
  connected(yes) {
    document.body.dataset.connected = yes ? "yes" : "no";
    if (!yes) header("the dashboard does not answer: is localmesh dashboard running?", "bad");
    else if (reading) summarize();
  },
});
