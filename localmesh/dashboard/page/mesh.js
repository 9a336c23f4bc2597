// The first view: who calls whom, and the pods.

import { empty, h, keyed, set, span, text } from "./dom.js";
import { age, moment } from "./format.js";
import { address } from "./route.js";
import { topology } from "./topology.js";

export const TONES = { Ready: "good", NotReady: "bad", Backoff: "bad", Stopping: "off", Stopped: "off" };

const COLUMNS = ["Pod", "State", "Address", "Restarts", "Started", "Ready after", "Proxy"];
const LEGEND = ["calls a second, share refused or failed ✕ · half within, 99 of 100 within · ", ": mutual TLS"];

/** The view: see main.js for what a view is. */
export function meshView() {
  const picture = topology();
  const rows = h("tbody");
  const heads = COLUMNS.map((word) => h("th", { scope: "col" }, word));
  const table = h("table", { class: "pods" }, h("thead", {}, h("tr", {}, heads)), rows);
  const nothing = empty("No pods yet.", "Start the mesh: ", h("code", {}, "make up"));
  const legend = h("p", { class: "legend" }, LEGEND[0], h("span", { "data-tone": "good" }, "lock"), LEGEND[1]);
  const element = h(
    "div",
    { class: "stack" },
    h(
      "section",
      { class: "card", "aria-labelledby": "calls" },
      h("div", { class: "tools" }, h("h1", { id: "calls" }, "Calls"), legend),
      picture.element,
    ),
    h(
      "section",
      { class: "card", "aria-labelledby": "pods" },
      h("h2", { id: "pods" }, "Pods"),
      h("div", { class: "scroll" }, table),
      nothing,
    ),
  );
  return {
    element,
    update(reading) {
      const pods = reading.status?.pods ?? [];
      picture.update(reading);
      table.hidden = !pods.length;
      nothing.hidden = pods.length > 0;
      keyed(rows, pods, (pod) => `${pod.namespace}/${pod.name}`, row, (one, pod) => fillRow(one, pod, reading.at));
    },
    close: picture.close,
  };
}

function row({ namespace, name }) {
  const where = { href: address("logs", [namespace, name]), "aria-label": `logs of ${namespace}/${name}` };
  const link = h("a", where, span("dim", `${namespace}/`), name);
  return h("tr", {}, h("th", { scope: "row" }, link), COLUMNS.slice(1).map(() => h("td")));
}

function fillRow(element, pod, now) {
  const [state, address_, restarts, started, after, proxy] = [...element.children].slice(1);
  if (!state.firstChild) state.append(span("dot"), h("span"));
  set(state.firstChild, "data-tone", TONES[pod.state] ?? "warn");
  text(state.lastChild, pod.reason ? `${pod.state}: ${pod.reason}` : pod.state);
  text(address_, pod.address);
  text(restarts, String(pod.restarts));
  set(restarts, "data-tone", pod.restarts ? "warn" : null);
  text(started, pod.started_at ? `${age(pod.started_at, now)} ago` : "");
  set(started, "title", moment(pod.started_at));
  text(after, pod.start_seconds ? `${pod.start_seconds.toFixed(2)} s` : "");
  text(proxy, pod.acked ? "in sync" : "waiting");
  set(proxy, "data-tone", pod.acked ? null : "warn");
}
