"""Whether a text is an expression of CEL, the language of access log filters (cel-spec, syntax only).

Envoy compiles the expression; a mistake is found here so that it is shown with its line, and not as a refused listener.
"""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>[rRbB]{0,2}(?:'''(?:[^\\]|\\.)*?'''|\"{3}(?:[^\\]|\\.)*?\"{3}|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
      | (?P<number>0x[0-9a-fA-F]+u?|\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+|\d+u?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>\|\||&&|==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    )""",
    re.VERBOSE,
)
_BINARY = frozenset({"||", "&&", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%"})
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _SyntaxError(Exception):
    pass


def wrong_expression(text: str) -> str | None:
    """What is wrong with a CEL expression, or None."""
    try:
        tokens = _tokens(text)
        end = _ternary(tokens, 0, 0)
        if tokens[end].kind != "end":
            raise _SyntaxError(f'"{tokens[end].text}" at {tokens[end].at + 1} is not expected')
    except _SyntaxError as error:
        return f'"{text}" is not an expression: {error}'
    return None


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            rest = text[at:].lstrip()
            raise _SyntaxError(f'"{rest[0]}" at {len(text) - len(rest) + 1} is not expected')
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return [*tokens, _Token("end", "the end", len(text))]


def _expect(tokens: list[_Token], at: int, sign: str) -> int:
    if tokens[at].text != sign:
        raise _SyntaxError(f'"{tokens[at].text}" at {tokens[at].at + 1} is not expected, but "{sign}"')
    return at + 1


def _ternary(tokens: list[_Token], at: int, depth: int) -> int:
    """condition ? one : other, or operands with operators between them."""
    if depth > _DEEPEST:
        raise _SyntaxError("it is nested too deeply")
    at = _operand(tokens, at, depth)
    while tokens[at].text in _BINARY and tokens[at].kind in {"sign", "name"}:
        at = _operand(tokens, at + 1, depth)
    if tokens[at].text == "?":
        at = _expect(tokens, _ternary(tokens, at + 1, depth + 1), ":")
        at = _ternary(tokens, at, depth + 1)
    return at


def _operand(tokens: list[_Token], at: int, depth: int) -> int:
    """A literal, name, group, list or map, after any number of `!` or `-`; then members, calls and indexes."""
    while tokens[at].text in {"!", "-"}:
        at += 1
    token = tokens[at]
    if token.text in {"(", "[", "{"}:
        at = _group(tokens, at, depth)
    elif token.text == "." and tokens[at + 1].kind == "name":
        at += 2
    elif token.kind in {"text", "number"} or (token.kind == "name" and token.text != "in"):
        at += 1
    else:
        raise _SyntaxError(f'"{token.text}" at {token.at + 1} is not expected')
    while tokens[at].text in {".", "(", "[", "{"}:
        if tokens[at].text == ".":
            if tokens[at + 1].kind != "name":
                raise _SyntaxError(f"a name is missing after the dot at {tokens[at].at + 1}")
            at += 2
        else:
            at = _group(tokens, at, depth)
    return at


def _group(tokens: list[_Token], at: int, depth: int) -> int:
    """`( … )`, `[ … ]` or `{ key: value, … }` with its items."""
    opening = tokens[at].text
    closing = {"(": ")", "[": "]", "{": "}"}[opening]
    at += 1
    while tokens[at].text != closing:
        at = _ternary(tokens, at, depth + 1)
        if opening == "{":
            at = _ternary(tokens, _expect(tokens, at, ":"), depth + 1)
        if tokens[at].text != closing:
            at = _expect(tokens, at, ",")
    return at + 1
