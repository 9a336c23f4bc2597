"""How what is wrong crosses the control API: a MeshError becomes a Failure in the trailing metadata, and comes back."""

from collections.abc import Iterable

from localmesh.control.control_pb2 import Failure
from localmesh.control.control_pb2 import Problem as ProblemMessage
from localmesh.errors import MeshError, Problem, Problems, Where

TRAILER = "localmesh-failure-bin"


def encode(error: MeshError) -> Failure:
    """The message that stands for this error."""
    problems = error.problems if isinstance(error, Problems) else ()
    return Failure(what=error.what, hint=error.hint, problems=encode_problems(problems))


def decode(failure: Failure) -> MeshError:
    """The error that this message stands for."""
    if failure.problems:
        return Problems(decode_problems(failure.problems))
    return MeshError(failure.what, failure.hint)


def encode_problems(problems: Iterable[Problem]) -> list[ProblemMessage]:
    """Each problem as a message."""
    return [
        ProblemMessage(
            file=each.where.file,
            line=each.where.line,
            column=each.where.column,
            path=each.where.path,
            what=each.what,
            hint=each.hint,
            code=each.code,
        )
        for each in problems
    ]


def decode_problems(messages: Iterable[ProblemMessage]) -> list[Problem]:
    """Each message as a problem."""
    return [
        Problem(Where(each.file, each.line, each.column, each.path), each.what, each.hint, each.code)
        for each in messages
    ]
