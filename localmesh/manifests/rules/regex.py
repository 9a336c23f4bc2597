"""Whether a text is an RE2 regular expression, as Envoy and Go compile it.

There is no RE2 here, so this takes its grammar from both sides: what Perl and Python have and RE2 has not is refused by
name, what RE2 has and Python has not is replaced by something alike, and Python's compiler judges the rest.
"""

import re
import warnings

LONGEST = 1024
"""istiod takes no longer expression: it cannot measure the compiled program's size, which Envoy limits."""

_ESCAPES_NOT_RE2 = (
    (re.compile(r"\\[1-9]"), "it refers back to a group, which RE2 cannot"),
    (re.compile(r"\\[ZGXRKkgeNuU]"), "it has an escape that RE2 does not know"),
)
_SIGNS_NOT_RE2 = (
    (re.compile(r"\(\?<?[=!]"), "it looks ahead or behind, which RE2 cannot"),
    (re.compile(r"\(\?(>|\(|#|P=)"), "it has a group that RE2 does not know"),
    (re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})[*+]"), "it repeats a repetition, which RE2 cannot"),
)
_CLASS_ESCAPES = re.compile(r"\\[pP](\{\^?\w+\}|\w)|\[:\^?\w+:\]|\\x\{[0-9a-fA-F]+\}|\\C")
_QUOTED = re.compile(r"\\Q(.*?)(\\E|$)", re.DOTALL)
_FLAGS = re.compile(r"\(\?[imsU]*(-[imsU]+)?(\)|:)")
_ESCAPED = re.compile(r"\\\\")
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def wrong_regex(pattern: str) -> str | None:
    """What is wrong with a regular expression, or None."""
    if not pattern:
        return "the regular expression is empty"
    if len(pattern) > LONGEST:
        return f"the regular expression is longer than {LONGEST} characters"
    plain = _ESCAPED.sub("a", _QUOTED.sub(lambda match: re.escape(match[1]), pattern))
    outside = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", lambda match: match[0] if match[0][0] == "\\" else "a", plain)
    signs = re.sub(r"\\.", "a", outside)
    for text, unknown in ((outside, _ESCAPES_NOT_RE2), (signs, _SIGNS_NOT_RE2)):
        for sign, why in unknown:
            if sign.search(text):
                return f'"{pattern}" is not a regular expression of RE2: {why}'
    if any(int(number) > 1000 for counts in _COUNT.findall(signs) for number in counts if number):
        return f'"{pattern}" is not a regular expression of RE2: it repeats more than 1000 times'
    return _compiled(pattern, plain)


def _compiled(pattern: str, plain: str) -> str | None:
    plain = _CLASS_ESCAPES.sub("a", plain).replace(r"\z", r"\Z").replace("(?<", "(?P<")
    plain = _FLAGS.sub(lambda match: "(?:" if match[2] == ":" else "", plain)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(plain)
    except (re.error, OverflowError, RecursionError) as error:
        return f'"{pattern}" is not a regular expression: {error}'
    return None
