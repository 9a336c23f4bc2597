"""ReferenceGrants: which references across namespaces are allowed."""

from dataclasses import dataclass

from localmesh.manifests.documents import Documents
from localmesh.manifests.gateway_api import ReferenceGrant
from localmesh.manifests.gateway_api.common import GROUP


@dataclass(frozen=True, slots=True)
class Reference:
    """A document of the Gateway API (`kind`, `namespace`) that refers to an object of the core group."""

    kind: str
    namespace: str
    to_kind: str
    to_namespace: str
    to_name: str

    @property
    def hint(self) -> str:
        """What would allow it."""
        return (
            f"in {self.to_namespace}, write a ReferenceGrant from {self.kind} of {self.namespace} "
            f"to {self.to_kind} {self.to_name}"
        )


class Grants:
    """All ReferenceGrants."""

    def __init__(self, documents: Documents) -> None:
        self._allowed = {
            (each.group, each.kind, each.namespace, to.group, to.kind, grant.namespace, to.name or "")
            for grant in documents.of(ReferenceGrant)
            for each in grant.spec.from_
            for to in grant.spec.to
        }

    def allow(self, one: Reference) -> bool:
        """Whether it stays in its namespace, or a grant there names it, or all of its kind."""
        head = (GROUP, one.kind, one.namespace, "", one.to_kind, one.to_namespace)
        return one.namespace == one.to_namespace or not self._allowed.isdisjoint({(*head, one.to_name), (*head, "")})
