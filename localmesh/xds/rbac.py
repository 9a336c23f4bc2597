"""AuthorizationPolicies as Envoy's RBAC filters: one filter for each action, in the order CUSTOM, AUDIT, DENY, ALLOW.

A policy under dry-run goes into the filter's shadow rules, whose verdict is written into metadata and traces only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2

from localmesh.errors import Where
from localmesh.mesh.security import AccessPolicy, Action, Authorizer
from localmesh.xds import authorizers, names
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
    # Of CUSTOM: the provider that the policies name, and who is asked; None where there is nobody.
    provider: str = ""
    authorizer: Authorizer | None = None

    def http(self) -> http_rbac_pb2.RBAC:
        """The HTTP filter's configuration."""
        if self.authorizer is not None:
            return authorizers.http_rules(self.rules, self.shadow)
        return http_rbac_pb2.RBAC(
            rules=self.rules, shadow_rules=self.shadow, shadow_rules_stat_prefix=self._shadow_prefix
        )

    def network(self) -> network_rbac_pb2.RBAC:
        """The network filter's configuration."""
        if self.authorizer is not None:
            return authorizers.network_rules(self.rules, self.shadow)
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


def access(
    policies: Iterable[AccessPolicy], trust_domains: tuple[str, ...], known: Iterable[Authorizer], tcp: bool
) -> Iterator[Access]:
    """The filters that a pod's policies need, in order of evaluation: of CUSTOM one for each provider."""
    by_name = {one.name: one for one in known}
    for (action, provider), own in _grouped(policies).items():
        authorizer = by_name.get(provider) if action is Action.CUSTOM else None
        if tcp and authorizer is not None and authorizer.http is not None:
            continue  # it knows no connections, and istiod then asks nobody
        enforced = [one for one in own if not one.dry_run]
        shadowed = [one for one in own if one.dry_run]
        if action is Action.CUSTOM and authorizer is None:
            shadowed = []
        yield Access(
            action,
            _rules(action, enforced, trust_domains, tcp, authorizer),
            _rules(action, shadowed, trust_domains, tcp, authorizer),
            tuple(one.where for one in own if one.where),
            provider,
            authorizer,
        )


def _grouped(policies: Iterable[AccessPolicy]) -> dict[tuple[Action, str], list[AccessPolicy]]:
    """The policies by action in order of evaluation, those of CUSTOM by provider too."""
    found: dict[tuple[Action, str], list[AccessPolicy]] = {}
    for one in policies:
        found.setdefault((one.action, one.provider if one.action is Action.CUSTOM else ""), []).append(one)
    order = list(Action)
    return {key: found[key] for key in sorted(found, key=lambda key: (order.index(key[0]), key[1]))}


def _rules(
    action: Action,
    policies: list[AccessPolicy],
    trust_domains: tuple[str, ...],
    tcp: bool,
    authorizer: Authorizer | None,
) -> rbac_pb2.RBAC | None:
    if not policies:
        return None
    rules = {}
    for one in policies:
        context = Context(trust_domains, one.namespace, tcp, lenient=action is not Action.ALLOW)
        if not one.rules:
            rules[_name(one, 0, authorizer)] = never()
        for number, rule in enumerate(one.rules):
            try:
                rules[_name(one, number, authorizer)] = policy(rule, context)
            except NotOnTcp:
                continue
    # The rules of CUSTOM are read as DENY is, and deny where there is nobody to ask.
    return rbac_pb2.RBAC(action=_ACTIONS.get(action, rbac_pb2.RBAC.DENY), policies=rules)


def _name(one: AccessPolicy, rule: int, authorizer: Authorizer | None) -> str:
    name = names.rbac_policy(one.namespace, one.name, rule)
    if one.action is not Action.CUSTOM:
        return name
    name = f"{names.custom_rule(one.provider)}-{name}"
    return name if authorizer is not None else f"{name}-deny-due-to-bad-CUSTOM-action"
