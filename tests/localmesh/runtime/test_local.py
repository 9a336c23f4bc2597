"""The local run as it is written."""

import pytest

from localmesh.runtime.local import Image, LocalRun, Step

ANY, TAGGED = Image(("any",)), Image(("tagged",), prepare=(Step(("${postgres}/initdb",)),))
LOCAL = LocalRun({"postgres": ANY, "postgres:18": TAGGED, "localhost:5000/user": ANY})


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        ("postgres", ANY),
        ("postgres:17", ANY),
        ("postgres:18", TAGGED),
        ("postgres:18@sha256:00ff", TAGGED),
        ("docker.io/library/postgres:18", TAGGED),
        ("localhost:5000/user:v1", ANY),
        ("postgresql:18", None),
        ("mine/postgres:18", None),
    ],
)
def test_an_image_is_found_by_the_longest_name_that_fits(reference: str, image: Image | None) -> None:
    assert LOCAL.image(reference) is image


def test_it_knows_the_programs_that_it_uses() -> None:
    assert LOCAL.uses("postgres")
    assert not LOCAL.uses("nats")
