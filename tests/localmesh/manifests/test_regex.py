"""Regular expressions are judged as RE2 would: Envoy and istiod compile no others."""

import pytest

from localmesh.manifests.rules.regex import wrong_regex


@pytest.mark.parametrize(
    "pattern",
    [
        ".*",
        "^/api/v[0-9]+/(users|rooms)$",
        "(?i)chat",
        "a(?i)b(?-i:c)",
        r"\d{1,3}\.\w+",
        r"\pL+\p{Greek}[[:alpha:]_]",
        r"[\p{L}\-]",
        r"\Qa.b(c\E+",
        r"x\z",
        "(?P<name>a)|(?<other>b)",
        "a{2,1000}",
        "a*?b+?c??",
        "[*+?]+",
        r"\*+\++",
        r"\\1",
        "[(?=]",
        "a}+",
    ],
)
def test_what_re2_takes_is_taken(pattern: str) -> None:
    assert wrong_regex(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "empty"),
        ("a" * 1025, "longer than 1024"),
        ("(?!a)b", "looks ahead"),
        ("(?<=a)b", "looks ahead or behind"),
        ("(?>a)", "group that RE2 does not know"),
        (r"(a)\1", "refers back"),
        ("a**", "repeats a repetition"),
        ("a++", "repeats a repetition"),
        ("a{1001}", "more than 1000"),
        ("[a-", "not a regular expression"),
        ("(", "not a regular expression"),
        ("a)", "not a regular expression"),
        ("*a", "not a regular expression"),
        ("[z-a]", "not a regular expression"),
        (r"a\Z", "escape"),
    ],
)
def test_what_re2_refuses_is_refused_with_a_reason(pattern: str, why: str) -> None:
    assert why in (wrong_regex(pattern) or "")
