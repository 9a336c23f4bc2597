// The policy documents in force: where each stands, what it reaches, its rules, since when, and what was last refused.

import { empty, h, keyed, set, text } from "./dom.js";
import { age, moment, place } from "./format.js";
import { address } from "./route.js";

/** The view: see main.js for what a view is. */
export function policiesView() {
  const list = h("div", { class: "policies" });
  const wanted = h("input", { type: "search", placeholder: "only policies with …", "aria-label": "Only policies with", input: () => filter() });
  const nothing = empty("No policy is in force.", "Policies are YAML documents: put one below ", h("code", {}, "deploy/istio/"), " and save it.");
  const element = h("section", { class: "card", "aria-labelledby": "policies-title" }, h("div", { class: "tools" }, h("h1", { id: "policies-title" }, "Policies in force"), wanted), list, nothing);
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
      keyed(list, policies, keyOf, policyOf, (one, policy) => fill(one, policy, reading.at));
      filter();
      if (pending && policies.length) pending = !find() && false;
    },
  };
}

/** The address of a policy or a rule of one, by its file and line. */
export function policyAddress(file, line) {
  return address("policies", [`${file}:${line}`]);
}

function keyOf(policy) {
  // What a policy says is part of its key: an edited one is drawn anew.
  return JSON.stringify([policy.kind, policy.namespace, policy.name, policy.file, policy.line, policy.rules, policy.refused, policy.pods, policy.hosts, policy.applied_at]);
}

function policyOf(policy) {
  const reach = reachOf(policy);
  const rules = policy.rules.map((rule) =>
    h("li", { "data-place": `${rule.file}:${rule.line}` }, h("code", { class: "place" }, place(rule.file, rule.line)), h("span", {}, rule.says)),
  );
  const refused = policy.refused.map((problem) => h("li", { "data-tone": "bad" }, h("code", { class: "place" }, place(problem.file, problem.line)), `${problem.path ? `${problem.path}: ` : ""}${problem.what}${problem.hint ? ` (${problem.hint})` : ""}`));
  const details = h(
    "details",
    { "data-words": JSON.stringify([policy.kind, policy.namespace, policy.name, policy.file, policy.rules, reach]).toLowerCase() },
    h(
      "summary",
      { "data-place": `${policy.file}:${policy.line}` },
      h("span", { class: "kind" }, policy.kind),
      h("span", { class: "named" }, h("span", { class: "dim" }, `${policy.namespace}/`), policy.name, policy.action ? h("span", { class: "tag", "data-action": policy.action }, policy.action) : null, policy.dry_run ? h("span", { class: "tag" }, "dry run") : null),
      h("span", { class: "reach", title: policy.pods.join(", ") }, reach),
      h("code", { class: "place", title: policy.file }, place(policy.file, policy.line)),
      h("span", { class: "since" }),
    ),
    h("div", { class: "inside" },
      h("p", { class: "dim" }, `Reaches ${reach}. In force since ${moment(policy.applied_at)}.`),
      rules.length ? h("ol", {}, rules) : policy.action ? h("p", {}, `It has no rules, so it matches nothing${policy.action === "ALLOW" ? " and allows nothing" : ""}.`) : null,
      refused.length ? [h("p", {}, h("strong", {}, "Last refused "), h("span", { class: "dim refused-at" }), ":"), h("ul", {}, refused)] : null),
  );
  return details;
}

function reachOf(policy) {
  if (policy.hosts.length) return policy.hosts.join(", ");
  if (policy.pods.length) return workloads(policy.pods);
  // Only a delegate has no hosts.
  return policy.kind === "VirtualService" ? "whoever delegates to it" : "no pod";
}

function fill(element, policy, now) {
  const since = element.querySelector(".since");
  text(since, policy.refused_at ? `refused ${age(policy.refused_at, now)} ago` : policy.applied_at ? `in force ${age(policy.applied_at, now)}` : "");
  set(since, "data-tone", policy.refused_at ? "bad" : null);
  set(since, "title", [policy.applied_at ? `in force since ${moment(policy.applied_at)}` : "", policy.refused_at ? `last refused ${moment(policy.refused_at)}` : ""].filter(Boolean).join("; "));
  const refused = element.querySelector(".refused-at");
  if (refused) text(refused, `${age(policy.refused_at, now)} ago (${moment(policy.refused_at)})`);
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
