// Where one is: everything that can be looked at has an address behind the #, so that every click is a link, and Back
// and reload work. `#/traces/<id>?service=chat` is the view `traces` with one argument and one filter.

/** The view, its arguments and its filters, of an address as `location.hash` has it. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, ...parts] = path.split("/").map(decodeURIComponent);
  const filters = [...new URLSearchParams(query)].filter(([, value]) => value);
  return { view: view || "mesh", parts, filters: Object.fromEntries(filters) };
}

/** The address of a view. Filters without a value are left out. */
export function address(view, parts = [], filters = {}) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value)).toString();
  const path = [view === "mesh" ? "" : view, ...parts.map(encodeURIComponent)].join("/");
  return `#/${path}${query ? `?${query}` : ""}`;
}
