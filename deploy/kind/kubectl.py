"""kubectl on one cluster, named by its context: never on whatever context happens to be current."""

import json
from dataclasses import dataclass
from typing import Any

from deploy.kind import commands


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl for one context."""

    context: str

    def words(self, *words: str) -> list[str]:
        """The whole command line."""
        return ["kubectl", "--context", self.context, *words]

    def __call__(self, *words: str, limit: float = 60, stdin: str | None = None) -> str:
        """Run it and return what it printed. Raises Failed."""
        return commands.output(self.words(*words), limit=limit, stdin=stdin)

    def json(self, *words: str, limit: float = 60) -> Any:
        """Run it with `-o json` and return what that says. Raises Failed."""
        return json.loads(self(*words, "-o", "json", limit=limit))

    def items(self, *words: str) -> list[Any]:
        """The items of a `get` of many. Raises Failed."""
        return list(self.json("get", *words)["items"])
