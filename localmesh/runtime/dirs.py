"""The folders of a mesh: what stays, what goes with the run, and the lock that makes one run of it at a time.

    <state>/        data/<namespace>/<pod>/<volume>  logs/<namespace>.<pod>.<process>.log  lock  callers.json
    <run>/          <namespace>.<pod>/: sockets, bootstrap, volumes that end with the pod;  processes/

`<run>` is private (0700) and short, because a Unix socket's path has at most 107 bytes (unix(7)).
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from localmesh.errors import MeshError
from localmesh.runtime import records

_LONGEST_SOCKET_PATH = 107
_ANOTHER_STATE = "make room or rights there, or name another folder: localmesh --state FOLDER …"
_ROOM_FOR_NAMES = 60  # of a pod's folder and of a socket in it


@dataclass(frozen=True, slots=True)
class PodDirs:
    """One pod's folders."""

    run: Path  # private; gone when the pod is
    data: Path
    log_stem: Path  # + `.<process>.log`

    @property
    def sockets(self) -> Path:
        """Where its programs make their Unix sockets."""
        return self.run

    def log(self, process: str) -> Path:
        """Where this process writes."""
        return self.log_stem.with_name(f"{self.log_stem.name}.{process}.log")


@dataclass(frozen=True, slots=True)
class Dirs:
    """One mesh's folders, whether it runs or not."""

    state: Path
    run: Path

    @property
    def data(self) -> Path:
        """What `down` keeps and `clean` forgets."""
        return self.state / "data"

    @property
    def logs(self) -> Path:
        """What the programs write."""
        return self.state / "logs"

    @property
    def processes(self) -> Path:
        """A record of each process that runs."""
        return self.run / "processes"

    @property
    def callers(self) -> Path:
        """What a caller of this mesh may want to know while it runs, as JSON (`up.host`)."""
        return self.state / "callers.json"

    def socket(self, name: str) -> Path:
        """A socket of the control plane itself, such as `ads` or `control`."""
        return self.run / f"{name}.sock"

    def pod(self, namespace: str, name: str) -> PodDirs:
        """The folders of one pod."""
        return PodDirs(
            run=self.run / _short(f"{namespace}.{name}"),
            data=self.data / namespace / name,
            log_stem=self.logs / f"{namespace}.{name}",
        )


def of(state: Path) -> Dirs:
    """The folders of the mesh whose state is kept in `state`. Touches nothing."""
    state = state.absolute()
    name = f"localmesh-{os.getuid()}-{hashlib.sha256(os.fsencode(state)).hexdigest()[:8]}"
    run = Path(tempfile.gettempdir(), name)
    if len(os.fsencode(run)) > _LONGEST_SOCKET_PATH - _ROOM_FOR_NAMES:
        run = Path("/tmp", name)  # noqa: S108 - made 0700 and ours before use; $TMPDIR is too long for sockets
    return Dirs(state, run)


@contextmanager
def held(dirs: Dirs) -> Iterator[None]:
    """The folders made and locked, with nothing left of an earlier run. MeshError if a mesh runs on them, or if the
    disk or its rights do not allow it.

    The lock is flock(2)'s: it ends with this process, however that ends.
    """
    with writable(dirs.state):
        dirs.state.mkdir(parents=True, exist_ok=True)
        locked = _locked(dirs)
    with locked as lock:
        with writable(dirs.state):
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            for folder in (dirs.data, dirs.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
            dirs.callers.unlink(missing_ok=True)
        with writable(dirs.run):
            _make_private(dirs.run)
            dirs.processes.mkdir(mode=0o700, exist_ok=True)
            records.end_all(dirs.processes)
            _forget_run(dirs)
        try:
            yield
        finally:
            records.end_all(dirs.processes)
            dirs.callers.unlink(missing_ok=True)
            shutil.rmtree(dirs.run)
            lock.truncate(0)


def _locked(dirs: Dirs) -> TextIO:
    path = dirs.state / "lock"
    while True:
        lock = path.open("a+")
        if not _taken(lock):
            lock.seek(0)
            who = lock.read().strip()
            lock.close()
            raise MeshError(
                f"the mesh in {dirs.state} is running already" + (f" (process {who})" if who else ""),
                "localmesh status, or localmesh down to end it",
            )
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        lock.close()  # `clean` has removed the file since it was opened: whoever comes next would lock another


def _taken(lock: TextIO) -> bool:
    """Whether the lock is ours now; False if a mesh has it."""
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if _is_held(lock):
            return False
        # Somebody was asking, which takes a moment.


def _is_held(lock: TextIO) -> bool:
    """Whether a mesh has the lock. It is asked for with a share of it, so that askers are not taken for a mesh."""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


def holder(dirs: Dirs) -> int | None:
    """The process that holds these folders, 0 while it has not said who it is; None if no mesh runs on them.

    MeshError if they cannot be asked: they are somebody else's.
    """
    try:
        with (dirs.state / "lock").open("r+") as lock:
            if _is_held(lock):
                said = lock.read().strip()
                return int(said) if said.isdigit() else 0
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MeshError(f"{dirs.state} cannot be used: {error.strerror}", _ANOTHER_STATE) from error
    return None


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Tells an OSError of the body as a MeshError: a full disk, missing rights, a file where a folder should be."""
    try:
        yield
    except OSError as error:
        raise MeshError(
            f"{folder} cannot be used: {error.strerror} ({error.filename or folder})", _ANOTHER_STATE
        ) from error


def _forget_run(dirs: Dirs) -> None:
    """Remove what an earlier run left in the run folder, but not the records of its processes."""
    for entry in dirs.run.iterdir():
        if entry == dirs.processes:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _make_private(folder: Path) -> None:
    """A folder that is ours alone, in a place where others may have put something of that name before us."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise MeshError(f"{folder} belongs to somebody else", "remove it, or set TMPDIR to a folder of your own")
    folder.chmod(0o700)


def _short(name: str) -> str:
    """The name itself, or its beginning and a hash where sockets below it would get too long a path."""
    if len(name) <= _ROOM_FOR_NAMES - 25:
        return name
    return f"{name[:20]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
