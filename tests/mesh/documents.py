"""YAML texts, one document at a time."""

import re

import yaml


def split(text: str) -> list[str]:
    """The documents of a YAML text, as texts."""
    return [part for part in re.split(r"(?m)^---\s*$", text) if part.strip()]


def identity(text: str) -> tuple[str, str, str] | None:
    """Kind, namespace and name of one document."""
    document = yaml.safe_load(text)
    if not document or "metadata" not in document:
        return None
    return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]
