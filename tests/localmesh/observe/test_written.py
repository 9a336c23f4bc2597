"""Whose line it is, also in a file that is no YAML any more."""

import pytest

from localmesh.observe.written import document_at

TEXT = """\
# the first
apiVersion: v1
kind: Service
metadata: {labels: {a: b}, name: one}
spec:
  ports: [{name: grpc
--- # the second
kind: "VirtualService"
metadata:
  labels: {x: y}
  name: two
spec: {}
---
spec: {name: nobody}
"""


@pytest.mark.parametrize(
    ("line", "document"),
    [
        (1, ("Service", "one")),
        (6, ("Service", "one")),
        (8, ("VirtualService", "two")),
        (12, ("VirtualService", "two")),
        (14, None),
        (0, None),
        (99, None),
    ],
)
def test_a_line_belongs_to_the_document_between_its_separators(line: int, document: tuple[str, str] | None) -> None:
    assert document_at(TEXT, line) == document
