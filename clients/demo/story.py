"""How the tour reads: chapters, sentences, and promises that hold or end it."""

from dataclasses import dataclass, field

from rich.console import Console

from clients.failure import Failure


class BrokenPromise(Failure):
    """Something that the tour promises is not so."""

    def __init__(self, promise: str, seen: str) -> None:
        super().__init__(f"this does not hold: {promise}\n  seen: {seen}")


@dataclass
class Story:
    """Tells on the console."""

    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    _chapter: int = 0

    def chapter(self, title: str) -> None:
        """Begins a numbered chapter."""
        self._chapter += 1
        self.console.print(f"\n[bold]{self._chapter}. {title}[/bold]\n")

    def say(self, sentence: str) -> None:
        """One sentence, as it is: nothing in it is markup."""
        self.console.print(f"   {sentence}", markup=False)

    def hold(self, kept: bool, promise: str, seen: str) -> None:
        """Tells a promise and what was seen. Raises BrokenPromise if it is not kept."""
        if not kept:
            raise BrokenPromise(promise, seen)
        self.console.print("   [green]✓[/green] ", end="")
        self.console.print(f"{promise} ({seen})", markup=False)
