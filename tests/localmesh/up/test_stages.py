"""The pure stages, on the bundle of deploy/ and on the small one."""

from dataclasses import replace
from pathlib import Path

import pytest

from localmesh.errors import Problems
from localmesh.runtime import dirs
from localmesh.up import stages
from localmesh.up.host import imagined
from localmesh.up.stages import Design
from localmesh.xds.snapshot import ENDPOINT

BUNDLES = [Path(__file__).with_name("bundle"), Path(__file__).resolve().parents[3] / "deploy"]


def design(bundle: Path) -> Design:
    """What would run, on no machine in particular."""
    return stages.designed(stages.read([bundle]), lambda mesh, _: imagined(dirs.of(Path("/nowhere")), mesh))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_readiness_changes_endpoints_only_and_a_refresh_is_as_good_as_compiling_anew(bundle: Path) -> None:
    made = design(bundle)
    ready = {plan.key: replace(plan.placement, ready=True) for plan in made.plans}
    before, after = stages.configured(made, {}), stages.configured(made, ready)
    assert after != before
    for key, snapshot in after.items():
        changed = {url for url in snapshot.resources if snapshot.versions[url] != before[key].versions.get(url)}
        assert changed <= {ENDPOINT}
    assert stages.refreshed(before, made, ready) == after


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_every_snapshot_is_whole(bundle: Path) -> None:
    made = design(bundle)
    assert made.plans
    assert [problem for each in stages.configured(made, {}).values() for problem in each.consistent()] == []


def test_replicas_that_a_person_asked_for_are_stronger_than_the_files() -> None:
    written = stages.read(BUNDLES[:1], {"small/echo": 5})
    mesh, _ = stages.meant(written)
    assert sum(pod.workload == "echo" for pod in mesh.pods) == 5


def test_problems_of_references_are_raised_by_check(tmp_path: Path) -> None:
    text = (BUNDLES[0] / "routes.yaml").read_text().replace("host: echo", "host: ecko")
    (tmp_path / "routes.yaml").write_text(text)
    with pytest.raises(Problems, match="did you mean 'echo"):
        stages.checked(stages.read([BUNDLES[0] / "echo.yaml", tmp_path / "routes.yaml"]), dirs.of(tmp_path))
