"""docs/warnings.md: every code, why it matters, what to do, and what istioctl calls it."""

from localmesh.codes import Code, every

_HEAD = """# What `localmesh check` finds

Made from the code by `make docs`. Each finding is shown as `file:line: path: what (hint) [code]`, and `check --json`
has the code as a field of its own. LM0xx are errors: nothing is started or changed. The others are warnings: the policy
is taken as it is written, and hardly meant. (Errors without a code are those of one document alone, such as a wrong
type or a value out of bounds: their sentence says it all.)

The last column names what `istioctl analyze` 1.30 says in the same case; it is silent where there is none.
"""


def page() -> str:
    """The whole page."""
    codes = tuple(every())
    lines = ["| code | what | istioctl |", "|---|---|---|"]
    lines += [f"| [{each.code}](#{each.code.lower()}) | {each.what} | {each.istioctl} |" for each in codes]
    return "\n".join([_HEAD, *lines, "", *(_section(each) for each in codes)])


def _section(code: Code) -> str:
    kind = "error" if code.is_error else "warning"
    also = f" · istioctl analyze: {code.istioctl}" if code.istioctl else ""
    return f"## {code.code}\n\n**{code.what}** ({kind}{also})\n\n{code.why}\n\n{code.do}\n"
