"""What the tests of policies and of denials share: a namespace in the mesh, its workloads, and places in YAML."""

NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: mesh, labels: {istio-injection: enabled}}
"""


def workload(name: str) -> str:
    """A Deployment of one pod in the namespace."""
    return f"""---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: mesh}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: {name}, image: localmesh/{name}}}]}}
"""


def line(bundle: str, text: str) -> int:
    """The first line that holds this text, counted from 1."""
    return next(number for number, line in enumerate(bundle.splitlines(), 1) if text in line)
