import { empty, h } from "./dom.js";
export function tracesView() {
  return { element: h("section", { class: "card" }, h("h1", {}, "Traces"), empty("No traces yet.")) };
}
