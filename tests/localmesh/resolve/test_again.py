"""What is kept of earlier resolvings changes nothing but the work: documents of all kinds, edited at random."""

import random
import re
from pathlib import Path

import pytest
import yaml

from localmesh.errors import Problem, Problems
from localmesh.manifests import load
from localmesh.memo import Memo
from localmesh.mesh import Mesh
from localmesh.resolve import resolve
from tests.conformance import reference
from tests.localmesh.resolve.base import BASE, istio

ROUNDS = 100
GATEWAY = """
selector: {app: gateway}
servers:
- port: {number: 443, name: https, protocol: HTTPS}
  hosts: [a.example.com]
  tls: {mode: SIMPLE, credentialName: cert}
"""
RULE = "host: chat\ntrafficPolicy: {tls: {mode: SIMPLE, credentialName: %s}}\n"
MESH = """
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: mesh}
spec:
  meshConfig:
    trustDomain: %s
    outboundTrafficPolicy: {mode: %s}
    extensionProviders:
    - {name: otel, opentelemetry: {service: jaeger.observability.svc.cluster.local, port: 4317}}
    - {name: judge, envoyExtAuthzGrpc: {service: nowhere.mesh.svc.cluster.local, port: 9000}}
"""
# Who reads the providers, and where they are written; and a gateway with a credential.
READERS = f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: judged, namespace: mesh}}
spec: {{action: CUSTOM, provider: {{name: judge}}, rules: [{{}}]}}
---
{istio("Gateway", "credible", GATEWAY)}
"""
CREDENTIAL = """
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: mesh}
stringData: {tls.crt: %s, tls.key: KEY}
"""
OWN = [MESH % (domain, mode) for domain in ("cluster.local", "other") for mode in ("ALLOW_ANY", "REGISTRY_ONLY")]
OWN += [CREDENTIAL % certificate for certificate in ("ONE", "OTHER")]
OWN += [istio("DestinationRule", "credible", RULE % name).removesuffix("---\n") for name in ("cert", "missing")]
OWN += READERS.split("---\n")[:2]
OF_A_CLUSTER = {"Pod", "Node", "EndpointSlice"}

Key = tuple[str, str, str]


def key_of(document: str) -> Key:
    """Kind, namespace and name: of two documents for one object a folder has one."""
    said = yaml.load(document, yaml.CSafeLoader)
    return said["kind"], said["metadata"].get("namespace", ""), said["metadata"]["name"]


def pool(*, from_cluster: bool) -> list[tuple[Key, str]]:
    """The documents of all reference cases, and our own."""
    text = (reference.FOLDER / "documents.yaml").read_text()
    found = [one for one in re.split(r"^--- # [0-9a-f]{8}\n", text, flags=re.MULTILINE) if "kind:" in one]
    keyed = [(key_of(one), one) for one in [*found, *OWN]]
    return [(key, one) for key, one in keyed if from_cluster or key[0] not in OF_A_CLUSTER]


def drawn_from(drawn: list[tuple[Key, str]], dice: random.Random) -> tuple[Key, str]:
    """One of the documents; every other time one of our own, most of them what much is made from."""
    if dice.randrange(2) == 0:
        own = dice.choice(OWN)
        return key_of(own), own
    return dice.choice(drawn)


def edited(documents: dict[Key, str], drawn: list[tuple[Key, str]], dice: random.Random) -> dict[Key, str]:
    """One of them is taken away, moved, pushed down by a line, or says something else; or there is one more."""
    at = dice.choice(list(documents))
    text, rest = documents[at], {key: one for key, one in documents.items() if key != at}
    what = dice.randrange(6)
    if what == 0:
        return rest
    if what == 1:
        return {at: text, **rest}
    if what == 2:
        return {**documents, at: f"# pushed down\n{text}"}
    if what == 3:
        lines = text.splitlines(keepends=True)
        line = dice.randrange(len(lines))
        changed = dice.choice(["", lines[line].replace("v1", "v2"), lines[line].replace("user", "chat")])
        return {**documents, at: "".join([*lines[:line], changed, *lines[line + 1 :]])}
    return documents | dict([drawn_from(drawn, dice)])


def outcome(folder: Path, memo: Memo) -> tuple[Mesh | None, tuple[Problem, ...], tuple[Problem, ...]]:
    """The mesh of a folder's files, what is wrong, and what surprises. No mesh: they cannot be read."""
    memo.next_round()
    try:
        documents = load([folder], memo)
    except Problems as problems:
        return None, problems.problems, ()
    found = resolve(documents, memo=memo.made("parts", Memo))
    return found.mesh, found.problems, (*documents.warnings, *found.warnings)


@pytest.mark.parametrize("from_cluster", [False, True])
def test_with_what_is_kept_of_earlier_resolvings_everything_comes_out_as_without(
    tmp_path: Path, from_cluster: bool
) -> None:
    """Drawn by a fixed seed from the documents of the reference cases, on two files whose lines move."""
    drawn, dice, memo = pool(from_cluster=from_cluster), random.Random(9), Memo()
    documents = dict(dice.sample(drawn, 60)) if from_cluster else {}
    documents |= {key_of(one): one for one in [*BASE.split("---\n"), *OWN] if one.strip()}
    read = wrong = surprising = 0
    for _ in range(ROUNDS):
        before, documents = documents, edited(documents, drawn, dice)
        texts = list(documents.values())
        half = len(texts) // 2
        (tmp_path / "one.yaml").write_text("---\n".join(texts[:half]))
        (tmp_path / "two.yaml").write_text("---\n".join(texts[half:]))
        alone, kept = outcome(tmp_path, Memo()), outcome(tmp_path, memo)
        assert kept == alone
        mesh, problems, warnings = alone
        documents = before if mesh is None else documents
        read, wrong, surprising = read + (mesh is not None), wrong + bool(problems), surprising + bool(warnings)
    assert min(read, wrong, surprising) > ROUNDS // 3
