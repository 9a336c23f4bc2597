"""Which document of a file a line belongs to, also where the file is wrong and cannot be read as YAML."""

import re

_SEPARATOR = re.compile(r"---(\s|$)")
_KIND = re.compile(r"kind:\s*[\"']?(\w+)")
_NAME = re.compile(r"(?:^\s+|[{,]\s*)name:\s*[\"']?([\w.-]+)")


def document_at(text: str, line: int) -> tuple[str, str] | None:
    """Kind and name of the document around this line (from 1), as far as they can be made out; None if they cannot.

    The name is the first that stands below or in `metadata:`.
    """
    lines = text.splitlines()
    if not 0 < line <= len(lines):
        return None
    begin = next((at for at in range(line - 1, -1, -1) if _SEPARATOR.match(lines[at])), -1) + 1
    end = next((at for at in range(line, len(lines)) if _SEPARATOR.match(lines[at])), len(lines))
    kind, name, inside = "", "", False
    for each in lines[begin:end]:
        if found := _KIND.match(each):
            kind = kind or found[1]
        if each[:1].strip():
            inside = each.startswith("metadata:")
        if inside and not name and (named := _NAME.search(each)):
            name = named[1]
    return (kind, name) if kind and name else None
