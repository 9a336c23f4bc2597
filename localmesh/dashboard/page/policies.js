// The policy documents in force: where each stands, what it reaches, its rules, since when, and what was last refused.

import { empty, h, keyed, search, set, span, text } from "./dom.js";
import { age, moment, place } from "./format.js";
import { address } from "./route.js";

/** The view: see main.js for what a view is. */
export function policiesView() {
  const list = h("div", { class: "policies" });
  const wanted = search("only policies with", () => filter());
  const hint = ["Policies are YAML documents: put one below ", h("code", {}, "deploy/istio/"), " and save it."];
  const nothing = empty("No policy is in force.", ...hint);
  const title = h("h1", { id: "policies-title" }, "Policies in force");
  const head = h("div", { class: "tools" }, title, wanted);
  const element = h("section", { class: "card", "aria-labelledby": "policies-title" }, head, list, nothing);
  let shown = "";
  const filter = () => {
    for (const one of list.children) one.hidden = !one.dataset.words.includes(wanted.value.toLowerCase());
  };
  const find = () => {
    for (const old of list.querySelectorAll(".found")) old.classList.remove("found");
    const found = shown && list.querySelector(`[data-place="${CSS.escape(shown)}"]`);
    if (!found) return false;
    const policy = found.closest("details");
    policy.open = true;
    found.classList.add("found");
    found.scrollIntoView({ block: "center" });
    policy.querySelector("summary").focus({ preventScroll: true });
    return true;
  };
  let pending = false;
  return {
    element,
    show({ parts }) {
      shown = parts[0] ?? "";
      pending = !find();
    },
    update(reading) {
      const { policies } = reading;
      nothing.hidden = policies.length > 0;
      keyed(list, policies, keyOf, policyOf, (one, policy) => fill(one, policy, reading));
      filter();
      if (pending && policies.length) pending = !find() && false;
    },
  };
}

/** The address of a policy or a rule of one, by its file and line. */
export function policyAddress(file, line) {
  return address("policies", [`${file}:${line}`]);
}

/** All that is drawn of it but ages: an edited policy is drawn anew. */
function keyOf(policy) {
  return JSON.stringify(policy);
}

function policyOf(policy) {
  const { kind, namespace, name, action, file, line } = policy;
  const words = JSON.stringify([kind, namespace, name, action, file, policy.rules, reachOf(policy)]).toLowerCase();
  const tags = [
    action && h("span", { class: "tag", "data-action": action }, action),
    policy.dry_run && span("tag", "dry run"),
  ];
  const summary = h(
    "summary",
    { "data-place": `${file}:${line}` },
    span("kind", kind),
    h("span", { class: "named" }, span("dim", `${namespace}/`), name, tags.filter(Boolean)),
    h("span", { class: "reach", title: policy.pods.join(", ") }, reachOf(policy)),
    h("code", { class: "place", title: file }, place(file, line)),
    span("since"),
  );
  return h("details", { "data-words": words }, summary, inside(policy));
}

function inside(policy) {
  const about = `Reaches ${reachOf(policy)}. In force since ${moment(policy.applied_at)}.`;
  const matchless = `It has no rules, so it matches nothing${policy.action === "ALLOW" ? " and allows nothing" : ""}.`;
  const rules = policy.rules.length ? h("ol", {}, policy.rules.map(ruleOf)) : policy.action && h("p", {}, matchless);
  const refused = policy.refused.length && [
    h("p", {}, h("strong", {}, "Last refused "), span("dim refused-at"), ":"),
    h("ul", {}, policy.refused.map(problemOf)),
  ];
  return h("div", { class: "inside" }, h("p", { class: "dim" }, about), rules || null, refused || null);
}

function ruleOf({ file, line, says }) {
  return h("li", { "data-place": `${file}:${line}` }, h("code", { class: "place" }, place(file, line)), span("", says));
}

function problemOf({ file, line, path, what, hint }) {
  const words = [path ? `${path}: ` : "", what, hint ? ` (${hint})` : ""].join("");
  return h("li", { "data-tone": "bad" }, h("code", { class: "place" }, place(file, line)), words);
}

function reachOf(policy) {
  if (policy.hosts.length) return policy.hosts.join(", ");
  if (policy.pods.length) return workloads(policy.pods);
  // Only a delegate has no hosts.
  return policy.kind === "VirtualService" ? "whoever delegates to it" : "no pod";
}

function fill(element, { file, applied_at: applied, refused_at: refused }, { at: now, status }) {
  const since = element.querySelector(".since");
  const ages = refused ? `refused ${age(refused, now)} ago` : applied ? `in force ${age(applied, now)}` : "";
  text(since, ages);
  // Red as long as it is so; afterwards a matter of history.
  set(since, "data-tone", status?.problems.some((problem) => problem.file === file) ? "bad" : null);
  set(since, "title", `in force since ${moment(applied)}${refused ? `; last refused ${moment(refused)}` : ""}`);
  const told = element.querySelector(".refused-at");
  if (told) text(told, `${age(refused, now)} ago (${moment(refused)})`);
}

/** `chat-0, chat-1, user-v1-0` as `chat (2), user-v1`. */
function workloads(pods) {
  const count = new Map();
  for (const pod of pods) {
    const name = pod.split("/")[1].replace(/-\d+$/, "");
    count.set(name, (count.get(name) ?? 0) + 1);
  }
  return [...count].map(([name, many]) => (many > 1 ? `${name} ×${many}` : name)).join(", ");
}
