"""One child process: started, watched, stopped. It never outlives us (on Linux), and what it writes goes to a file."""

import asyncio
import contextlib
import errno
import os
import shlex
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localmesh.errors import MeshError
from localmesh.runtime import records
from localmesh.runtime.programs import ROOTLESS, TETHERED


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started. `env` is the whole environment of the process; its repr shows no values, which may be secret."""

    command: tuple[str, ...]
    log: Path
    records: Path  # the folder of process records
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path = Path("/")
    rootless: bool = False

    @property
    def argv(self) -> tuple[str, ...]:
        """The command as it is executed: tethered to us, and as nobody where it refuses root."""
        nobody = ROOTLESS if self.rootless and os.geteuid() == 0 else ()
        # The tether comes last: the kernel cuts it when a process changes its user.
        return (*nobody, *TETHERED, *self.command)


@dataclass(frozen=True, slots=True)
class Process:
    """A child that was started and maybe has ended."""

    launch: Launch
    child: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """Its number, also that of its process group."""
        return self.child.pid

    async def ended(self) -> int:
        """Wait for its end. The exit status, or the negative number of the signal that ended it."""
        code = await self.child.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what it may have started itself
        records.remove(self.launch.records, self.pid)
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if it has ended."""
        if self.child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.child.send_signal(number)

    async def give(self, content: bytes) -> None:
        """Write its input and close it."""
        if self.child.stdin is not None:
            self.child.stdin.write(content)
            await self.child.stdin.drain()
            self.child.stdin.close()

    async def stop(self, grace: float, ask: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, wait `grace` seconds, then end it. Returns as `ended`."""
        self.send(ask)
        try:
            # Not wait_for, which before Python 3.12 loses a cancellation that comes together with the end.
            async with asyncio.timeout(grace):
                return await self.ended()
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self.ended()


async def start(launch: Launch, *, with_input: bool = False) -> Process:
    """Start a child. MeshError if the machine cannot: no such program, no memory, too many processes.

    Call it on a thread that lives as long as the mesh: the tether holds to the thread, not to the whole process.
    """
    program = launch.command[0]
    # The tether would be started well and fail itself.
    if shutil.which(program, path=launch.env.get("PATH", os.defpath)) is None:
        missing = errno.EACCES if os.path.isfile(program) else errno.ENOENT  # noqa: ASYNC240, PTH113 - on a disk of ours
        raise cannot_start(program, OSError(missing, os.strerror(missing)))
    launch.log.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = await asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=asyncio.subprocess.PIPE if with_input else asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(launch.env),
            cwd=launch.cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise cannot_start(program, error) from error
    finally:
        os.close(log)
    records.add(launch.records, child.pid)
    return Process(launch, child)


async def run(launch: Launch, stdin: str = "", *, within: float) -> None:
    """Run a command to its end. MeshError if that is not exit status 0, or not reached `within` seconds."""
    process = await start(launch, with_input=True)
    try:
        async with asyncio.timeout(within):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                await process.give(stdin.encode())
            code = await process.ended()
    except TimeoutError:
        raise MeshError(f"{shlex.join(launch.command)} did not end within {within:g} s", f"see {launch.log}") from None
    finally:
        await process.stop(0, signal.SIGKILL)
    if code != 0:
        raise MeshError(f"{shlex.join(launch.command)} failed: {ending(code)}", tail(launch.log) or f"see {launch.log}")


def ending(code: int) -> str:
    """An exit status in words: `exit status 1`, `killed by SIGKILL`."""
    if code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


def tail(log: Path, most_bytes: int = 2000) -> str:
    """The last lines of a log; "" if there are none."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most_bytes))
        return file.read().decode(errors="replace").strip()
    return ""


def cannot_start(program: str, error: OSError) -> MeshError:
    """What there is to say, and to try, where the machine makes no process of a program."""
    hints = {
        errno.ENOENT: "install it, or name it in deploy/local.yaml",
        errno.EACCES: f"make it executable: chmod +x {shlex.quote(program)}",
        errno.ENOMEM: "there is no memory for another process: end something, or lower the replicas",
        errno.EAGAIN: "there may be no more processes (ulimit -u): end something, or raise the limit",
    }
    return MeshError(f"{program} cannot be started: {error.strerror}", hints.get(error.errno or 0, str(error)))
