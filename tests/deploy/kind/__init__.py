"""deploy.kind against programs that play docker, kind, kubectl and istioctl (`programs.py`): no engine is here."""
