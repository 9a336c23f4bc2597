"""YAML texts, one document at a time."""

import functools
import re

import yaml


def split(text: str) -> list[str]:
    """The documents of a YAML text, as texts."""
    return [part for part in re.split(r"(?m)^---\s*$", text) if part.strip()]


@functools.cache
def identity(text: str) -> tuple[str, str, str] | None:
    """Kind, namespace and name of one document; of one without a name its kind alone. None for what is no document."""
    document = yaml.safe_load(text)
    if not document or "kind" not in document:
        return None
    metadata = document.get("metadata", {})
    return document["kind"], metadata.get("namespace", ""), metadata.get("name", "")
