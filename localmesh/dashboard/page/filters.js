// Which traces are asked for: fields, and the arrow that one came by. All of it stands in the address.

import { h, set, text } from "./dom.js";
import { address } from "./route.js";

/** {element, show(filters, id), offer(services)}; `changed` is called with the new filters. */
export function traceFilters(changed) {
  const service = h("select", { change: () => tell() }, h("option", { value: "" }, "all"));
  const failed = h("input", { type: "checkbox", change: () => tell() });
  const slower = h("input", { type: "number", min: 0, step: "any", placeholder: "0", change: () => tell() });
  const arrow = h("a", { class: "chip", hidden: true, title: "everywhere again" });
  const fields = [
    h("label", {}, "service", service),
    h("label", {}, failed, "errors"),
    h("label", {}, "over", slower, "ms"),
  ];
  let now = {};
  const tell = () => {
    changed({ ...now, service: service.value, failed: failed.checked ? "1" : "", slower: slower.value });
  };
  const offer = (services) => {
    const known = new Set([...service.options].map((option) => option.value));
    const more = [...new Set(services)].filter((value) => value && !known.has(value));
    service.append(...more.map((value) => h("option", { value }, value)));
  };
  return {
    element: h("form", { class: "tools filters", submit: (event) => event.preventDefault() }, fields, arrow),
    show(filters, id) {
      now = filters;
      offer([filters.service]);
      service.value = filters.service ?? "";
      failed.checked = Boolean(filters.failed);
      slower.value = filters.slower ?? "";
      arrow.hidden = !(filters.from || filters.to);
      text(arrow, `${words(filters)} ✕`);
      set(arrow, "href", address("traces", id ? [id] : [], { ...filters, from: "", to: "" }));
    },
    offer,
  };
}

/** `gateway → chat`; without a target whoever takes part; without a source who calls from outside. */
function words({ from = "", to = "" }) {
  const [source, target] = [from, to].map((workload) => workload.split("/").at(-1));
  return target ? `${source || "clients"} → ${target}` : source;
}
