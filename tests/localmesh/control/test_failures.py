"""Errors that cross the control API and come back."""

from localmesh.control.failures import decode, encode
from localmesh.errors import MeshError, Problem, Problems, Where


def test_a_mesh_error_keeps_what_and_hint() -> None:
    error = decode(encode(MeshError("the port is taken", "choose another")))
    assert (error.what, error.hint) == ("the port is taken", "choose another")
    assert not isinstance(error, Problems)


def test_problems_keep_their_places() -> None:
    problem = Problem(Where("deploy/a.yaml", 3, 5, "spec.hosts[0]"), "no such host", "did you mean user?", "LM003")
    error = decode(encode(Problems([problem])))
    assert isinstance(error, Problems)
    assert error.problems == (problem,)
