"""AuthorizationPolicies as Envoy's RBAC filters: one filter for each action, in the order CUSTOM, AUDIT, DENY, ALLOW.

A policy under dry-run goes into the filter's shadow rules, whose verdict is written into metadata and traces only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2

from localmesh.errors import Where
from localmesh.mesh.security import AccessPolicy, Action
from localmesh.xds import names
from localmesh.xds.rbac_rules import NotOnTcp, never, policy
from localmesh.xds.rbac_terms import Context

_ACTIONS = {
    Action.AUDIT: rbac_pb2.RBAC.LOG,
    Action.DENY: rbac_pb2.RBAC.DENY,
    Action.ALLOW: rbac_pb2.RBAC.ALLOW,
}


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one action for one pod. `None`: no policy says anything, in force or in the shadow."""

    action: Action
    rules: rbac_pb2.RBAC | None
    shadow: rbac_pb2.RBAC | None
    origins: tuple[Where, ...]

    def http(self) -> http_rbac_pb2.RBAC:
        """The HTTP filter's configuration."""
        return http_rbac_pb2.RBAC(
            rules=self.rules, shadow_rules=self.shadow, shadow_rules_stat_prefix=self._shadow_prefix
        )

    def network(self) -> network_rbac_pb2.RBAC:
        """The network filter's configuration."""
        return network_rbac_pb2.RBAC(
            rules=self.rules,
            shadow_rules=self.shadow,
            shadow_rules_stat_prefix=self._shadow_prefix,
            stat_prefix="tcp.",
        )

    @property
    def _shadow_prefix(self) -> str:
        """As istiod: by the shadow rules' action, and `allow` where there are none."""
        if self.action is Action.CUSTOM:
            return ""
        denied = self.shadow is not None and self.action is Action.DENY
        return "istio_dry_run_deny_" if denied else "istio_dry_run_allow_"


def access(policies: Iterable[AccessPolicy], trust_domains: tuple[str, ...], tcp: bool) -> Iterator[Access]:
    """The filters that a pod's policies need, in order of evaluation."""
    policies = tuple(policies)
    for action in Action:
        own = [one for one in policies if one.action is action]
        if not own:
            continue
        enforced = [one for one in own if not one.dry_run]
        shadowed = [one for one in own if one.dry_run]
        yield Access(
            action,
            _rules(action, enforced, trust_domains, tcp),
            _rules(action, shadowed, trust_domains, tcp),
            tuple(one.where for one in own if one.where),
        )


def _rules(
    action: Action, policies: list[AccessPolicy], trust_domains: tuple[str, ...], tcp: bool
) -> rbac_pb2.RBAC | None:
    if not policies:
        return None
    rules = {}
    for one in policies:
        context = Context(trust_domains, one.namespace, tcp, lenient=action is not Action.ALLOW)
        if not one.rules:
            rules[_name(one, 0)] = never()
        for number, rule in enumerate(one.rules):
            try:
                rules[_name(one, number)] = policy(rule, context)
            except NotOnTcp:
                continue
    # A CUSTOM policy whose provider is unknown denies what it would have asked about.
    return rbac_pb2.RBAC(action=_ACTIONS.get(action, rbac_pb2.RBAC.DENY), policies=rules)


def _name(one: AccessPolicy, rule: int) -> str:
    name = names.rbac_policy(one.namespace, one.name, rule)
    if one.action is Action.CUSTOM:
        return f"istio-ext-authz-{one.provider}-{name}-deny-due-to-bad-CUSTOM-action"
    return name
