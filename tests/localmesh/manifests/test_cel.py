"""Access log filters are checked for CEL's syntax before an Envoy ever sees them."""

import pytest

from localmesh.manifests.rules.cel import wrong_expression


@pytest.mark.parametrize(
    "text",
    [
        "response.code >= 400",
        "response.code >= 400 && response.code < 500 || !has(request.headers['x-user'])",
        'request.headers["x-a"] in ["a", "b"] ? true : false',
        "xds.cluster_name.contains('chat') && connection.mtls",
        "-1 + 2 * (3 - 4) % 5 == 0x1F",
        "{'a': 1, 'b': [2, 3,]}.a == 1.5e3",
        "request.path.matches(r'^/a\\.b') || .absolute.name == null",
        'size("a\\"b") == 3u',
        "type{field: 1}.field == 1",
    ],
)
def test_expressions_are_taken(text: str) -> None:
    assert wrong_expression(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("response.code >>= 400", '">=" at 16'),
        ("", "the end"),
        ("a &&", "the end"),
        ("a b", '"b" at 3'),
        ("(a", "not expected"),
        ("a = 1", '"=" at 3'),
        ("a.", "a name is missing"),
        ("[1, 2", "not expected"),
        ("{1}", 'but ":"'),
        ("'open", '"\'" at 1'),
        ("a ? b", 'but ":"'),
        ("in", '"in" at 1'),
        ("(" * 200 + "a" + ")" * 200, "too deeply"),
    ],
)
def test_what_is_no_expression_is_told_with_its_place(text: str, why: str) -> None:
    assert why in (wrong_expression(text) or "")
