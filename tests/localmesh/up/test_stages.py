"""The pure stages, on the bundle of deploy/ and on the small one."""

import random
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from localmesh.errors import MeshError, Problem, Problems
from localmesh.memo import Memo
from localmesh.runtime import dirs
from localmesh.runtime.podplan import PodPlan
from localmesh.up import stages
from localmesh.up.host import imagined
from localmesh.up.stages import Design
from localmesh.xds.snapshot import ENDPOINT, Snapshot

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


def test_more_pods_than_there_are_addresses_are_told_with_their_place_before_one_is_made(tmp_path: Path) -> None:
    """Two thousand million pods, which no stage could hold."""
    text = (BUNDLES[0] / "echo.yaml").read_text().replace("replicas: 2", "replicas: 2000000000")
    (tmp_path / "echo.yaml").write_text(text)
    written = stages.read([tmp_path])
    for stage in (stages.meant, stages.compiled):
        with pytest.raises(Problems, match="addresses for 30000 pods") as found:
            stage(written)
        (problem,) = found.value.problems
        line = 1 + text[: text.index("replicas: 2000000000")].count("\n")
        assert (problem.where.file, problem.where.line) == (str(tmp_path / "echo.yaml"), line)


def test_more_pods_than_there_are_addresses_are_refused_to_a_person_too() -> None:
    with pytest.raises(MeshError, match="small/echo asks for 999999") as found:
        stages.meant(stages.read(BUNDLES[:1], {"small/echo": 999_999}))
    assert not isinstance(found.value, Problems)


def test_problems_of_references_are_raised_by_check(tmp_path: Path) -> None:
    text = (BUNDLES[0] / "routes.yaml").read_text().replace("host: echo", "host: ecko")
    (tmp_path / "routes.yaml").write_text(text)
    with pytest.raises(Problems, match="did you mean 'echo"):
        stages.checked(stages.read([BUNDLES[0] / "echo.yaml", tmp_path / "routes.yaml"]), dirs.of(tmp_path))


@dataclass(frozen=True)
class Told:
    """What runs, what all proxies are told and what a person is warned of; or what is wrong, and nothing runs."""

    snapshots: Mapping[str, Snapshot]
    said: tuple[Problem, ...]
    plans: tuple[PodPlan, ...] = ()

    @property
    def resources(self) -> list[object]:
        """All that the proxies are told, byte by byte: snapshots are equal by their versions."""
        return [(key, one.resources) for key, one in self.snapshots.items()]


def told(bundle: Path, memo: Memo | None, replicas: Mapping[str, int] | None = None) -> Told:
    """Of the bundle, with these numbers of pods."""
    try:
        written = stages.read([bundle], replicas, memo)
        made = stages.designed(written, lambda mesh, _: imagined(dirs.of(Path("/nowhere")), mesh), memo=memo)
    except Problems as problems:
        return Told({}, problems.problems)
    return Told(stages.configured(made, {}, memo), made.warnings, made.plans)


# What whole stages are made from; most lines of deploy/ are of other files.
READ_BY_ALL = ("local.yaml", "istio-operator.yaml")
EDITS: tuple[Callable[[str], str], ...] = (
    lambda line: "",
    lambda line: f"# moved\n{line}",
    lambda line: line * 2,
    lambda line: line.replace("user", "chat"),
    lambda line: line.replace("v1", "v2"),
    lambda line: line.replace("true", "false"),
    lambda line: re.sub(r"\d+(?=\D*$)", lambda number: str(int(number[0]) + 1), line),
    lambda line: re.sub(r"\w(?=\W*$)", r"\g<0>x", line),
)


# Rarely drawn line by line: what is said for the whole mesh, and what a pod is run as.
EXCHANGES = (
    ("istio-operator.yaml", "trustDomain: cluster.local", "trustDomain: other.local"),
    ("k8s/user.yaml", "serviceAccountName: user", "serviceAccountName: chat"),
)


def edited(bundle: Path, dice: random.Random) -> tuple[Path, str]:
    """Something else in one of the bundle's files; gives the file and its text of before."""
    if dice.randrange(10) == 0:
        name, one, other = dice.choice(EXCHANGES)
        before = (bundle / name).read_text()
        (bundle / name).write_text(before.replace(one, other) if one in before else before.replace(other, one))
        return bundle / name, before
    files = [file for file in sorted(bundle.rglob("*.yaml")) if file.name != "kustomization.yaml"]
    of_all = [file for file in files if file.name in READ_BY_ALL]
    file = dice.choice(of_all if dice.randrange(10) < 3 else files)
    before = file.read_text()
    lines = before.splitlines(keepends=True)
    line = dice.choice([at for at, text in enumerate(lines) if text.strip() and not text.lstrip().startswith("#")])
    lines[line] = dice.choice([new for edit in EDITS if (new := edit(lines[line])) != lines[line]])
    file.write_text("".join(lines))
    return file, before


def test_with_what_is_kept_of_earlier_readings_everything_comes_out_as_without(tmp_path: Path) -> None:
    """Over edits of all of the bundle and of the numbers of pods, by a fixed seed, also such as make it wrong."""
    bundle, memo, dice = tmp_path / "deploy", Memo(), random.Random(4)
    shutil.copytree(BUNDLES[1], bundle, ignore=shutil.ignore_patterns("components", "kind", "observability"))
    replicas: dict[str, int] = {}
    outcomes = set()
    for round_ in range(60):
        file, before = edited(bundle, dice)
        if round_ % 6 == 0:
            replicas = {**replicas, dice.choice(["mesh/user-v1", "mesh/user-v2", "mesh/chat"]): dice.randrange(1, 4)}
        memo.next_round()
        alone, kept = told(bundle, None, replicas), told(bundle, memo, replicas)
        assert kept == alone
        assert kept.resources == alone.resources
        outcomes.add(bool(alone.plans))
        if not alone.plans:
            file.write_text(before)
    assert outcomes == {True, False}


def test_an_edit_leaves_the_snapshots_of_pods_that_it_does_not_touch_as_they_are(tmp_path: Path) -> None:
    bundle, memo = tmp_path / "deploy", Memo()
    shutil.copytree(BUNDLES[1], bundle)
    before = told(bundle, memo).snapshots
    routes = bundle / "istio" / "user.yaml"
    routes.write_text(routes.read_text().replace("timeout: 3s", "timeout: 4s"))
    memo.next_round()
    after = told(bundle, memo).snapshots
    changed = {key for key, snapshot in after.items() if snapshot is not before[key]}
    assert changed == {"mesh/gateway-0", "mesh/chat-0", "mesh/chat-1"}  # all who call user, and nobody else


def test_files_without_a_workload_are_nothing_to_run(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: small}\n")
    with pytest.raises(MeshError, match="nothing to run"):
        design(tmp_path)
