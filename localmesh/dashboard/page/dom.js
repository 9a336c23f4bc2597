// Elements without a framework. Text only ever becomes text: nothing here, and no other module, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: properties that are functions are listeners, `class`, `role`, `data-…` and so on attributes. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** What most of a page is: some words of one kind. */
export function span(kind, ...words) {
  return h("span", { class: kind }, ...words);
}

/** The same for SVG. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else set(element, name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An attribute's value; null and false take it away. Untouched if it is that already. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

/** Text that is only written when it differs, so that selections and screen readers are left in peace. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/**
 * Makes `parent` hold one element for each item, in order. An element stays the same as long as its key is there,
 * so that focus, selection and scrolling survive an update.
 */
export function keyed(parent, items, key, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let element = old.get(name);
    old.delete(name);
    if (!element) {
      element = make(item);
      element.dataset.key = name;
    }
    update?.(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const gone of old.values()) gone.remove();
}

/** A field for words that what is shown must have; `changed` is called as they are typed. */
export function search(words, changed) {
  return h("input", { type: "search", placeholder: `${words} …`, "aria-label": words, input: changed });
}

/** What an empty place says: what there is not, and what to try. */
export function empty(what, ...tryThis) {
  return h("div", { class: "empty" }, h("p", {}, what), tryThis.length ? h("p", { class: "try" }, ...tryThis) : null);
}
