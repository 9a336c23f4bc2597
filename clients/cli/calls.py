"""What the verbs share: who calls, how a coroutine becomes a command, and what a person sees when it fails."""

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import click
import grpc

from clients import caller, channel, failure, keys, tracing
from clients.channel import Gateway

P = ParamSpec("P")

INTERRUPTED = 130  # what a shell calls a command that SIGINT ended


@dataclass(frozen=True, slots=True)
class Options:
    """What every verb is told. `token` is empty where one is to be minted."""

    target: str
    token: str = field(repr=False)

    @asynccontextmanager
    async def gateway(self, user: str = "") -> AsyncIterator[Gateway]:
        """The gateway for the given token, else for the user of this name (made if missing), else for the operator."""
        if self.token:
            opened = channel.connect(self.target, lambda: self.token)
        else:
            opened = caller.person(self.target, user) if user else caller.operator(self.target)
        async with opened as gateway:
            yield gateway


class Commands(click.Group):
    """A group whose commands may fail by a call or a Failure: a person gets one or two lines and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a bug of ours keeps its traceback."""
        try:
            return super().invoke(ctx)
        except grpc.aio.AioRpcError as error:
            raise _Shown(failure.of_call(error, ctx.find_root().obj.target)) from None
        except failure.Failure as error:
            raise _Shown(error) from None
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise SystemExit(INTERRUPTED) from None


def asynchronous(command: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A coroutine function as a command, or its last part: one that calls, so that its spans are sent."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        target = click.get_current_context().find_root().obj.target
        with tracing.sent(target, os.environ, keys.repository()):
            asyncio.run(command(*args, **kwargs))

    return run


def examples(*lines: str) -> str:
    """The end of a verb's help."""
    shown = "\n".join(f"  python -m clients {line}" for line in lines)
    return f"\b\nExample:\n{shown}"


class _Shown(click.ClickException):
    def __init__(self, error: failure.Failure) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]  # click's own way
