"""Modules: told by the survey, updated with the release, left when an operator wants that."""

import getpass
import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.platforms.base import Session
from agent.steps import service_manager
from agent.steps.apply_release import apply_release, put_old_back, recover
from agent.steps.check_health import check_health
from agent.steps.modules import MOST_TOLD, confirm_modules
from agent.steps.stage import stage
from agent.steps.survey import survey
from agent.steps.table import Failed, Refused
from agent.wire.contract import Refusal, Severity, StepName
from agent.wire.profile import Modules, VersionKind, VersionReader
from agent.wire.terms import ModuleTerms, Terms
from tests.steps.bench import AtPause, Bench, release, snapshot, write_tree
from tests.steps.power import effects_of, was_cut

_STEP = StepName.APPLY_RELEASE
_READER = VersionReader(VersionKind.FILE, "module.txt", "^version=(.+)$")
_CRM = ModuleTerms("crm", "2.0", updates=">=1")
_FAX = ModuleTerms("fax", "2.0", updates=">=1")
_VOICE = ModuleTerms("voice", "2.0")


def _module(name: str, version: str) -> dict[str, bytes]:
    return {
        f"modules/{name}/module.txt": f"version={version}\n".encode(),
        f"modules/{name}/lib/code.bin": f"{name} {version}".encode(),
    }


def with_modules(bench: Bench, *terms: ModuleTerms) -> Bench:
    """Have crm 1.0, fax 1.0 and own 0.9 installed, and these modules in a package of 1.1."""
    bench.profile = replace(bench.profile, modules=Modules("modules", _READER))
    for name, version in (("crm", "1.0"), ("fax", "1.0"), ("own", "0.9")):
        write_tree(bench.app, _module(name, version))
    files: dict[str, bytes] = release("1.1") | {"modules/about.txt": b"of the release"}
    for module in terms:
        files |= _module(module.name, module.version)
    bench.ship(files)
    manifest = bench.packages.the_manifest
    bench.packages.the_manifest = replace(manifest, terms=Terms(modules=terms))
    return bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return with_modules(Bench(tmp_path), _CRM, _FAX, _VOICE)


def _update(bench: Bench, *leaves: str) -> None:
    stage(bench.work(StepName.STAGE, leaves=leaves))
    apply_release(bench.work(_STEP, leaves=leaves))


def _of(bench: Bench, name: str) -> Mapping[str, object]:
    return snapshot(bench.app / "modules" / name)


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_survey_tells_the_version_of_each_module(bench: Bench) -> None:
    work = bench.work()

    survey(work)

    told = {k: v for k, v in work.facts.items() if k.startswith("module.")}
    assert told == {"module.crm": "1.0", "module.fax": "1.0", "module.own": "0.9"}


def test_one_is_updated_one_is_left_and_one_that_is_not_installed_does_not_come(
    bench: Bench,
) -> None:
    fax, own = _of(bench, "fax"), _of(bench, "own")

    _update(bench, "fax")

    assert (bench.app / "modules/crm/lib/code.bin").read_bytes() == b"crm 2.0"
    assert _of(bench, "fax") == fax
    assert _of(bench, "own") == own  # the package brings none: it is not lost
    assert not (bench.app / "modules/voice").exists()
    assert (bench.app / "modules/about.txt").exists()
    assert confirm_modules(bench.work(StepName.CHECK_HEALTH, leaves=("fax",))) == ""


def test_all_of_them_go_back_with_the_release(bench: Bench) -> None:
    before = snapshot(bench.app)
    _update(bench, "fax")

    put_old_back(bench.work(_STEP, leaves=("fax",)))

    assert snapshot(bench.app) == before


def test_it_can_be_done_again_at_any_time(bench: Bench) -> None:
    _update(bench, "fax")
    after = _contents(bench.app)

    _update(bench, "fax")
    put_old_back(bench.work(_STEP, leaves=("fax",)))
    _update(bench, "fax")

    assert _contents(bench.app) == after


def test_an_apply_that_was_cut_short_leaves_the_same_modules(bench: Bench) -> None:
    stage(bench.work(StepName.STAGE, leaves=("fax",)))
    write_tree(bench.folders.incoming, {"modules/fax/lib/code.bin": b"half carried over"})

    apply_release(bench.work(_STEP, leaves=("fax",)))

    assert (bench.app / "modules/fax/lib/code.bin").read_bytes() == b"fax 1.0"


def test_modules_are_whole_wherever_the_power_is_cut(tmp_path: Path) -> None:
    bench = with_modules(Bench(tmp_path / "world"), _CRM, _FAX, _VOICE)
    old = _contents(bench.app)
    stage(bench.work(StepName.STAGE, leaves=("fax",)))
    shutil.copytree(bench.root, tmp_path / "saved", symlinks=True)
    apply = partial(apply_release, bench.work(_STEP, leaves=("fax",)))
    effects = effects_of(apply)
    new = _contents(bench.app)
    assert new["modules/fax/lib/code.bin"] == b"fax 1.0"

    for cut_at in range(1, effects + 1):
        shutil.rmtree(bench.root)
        shutil.copytree(tmp_path / "saved", bench.root, symlinks=True)
        assert was_cut(apply, cut_at)
        recover(bench.work(_STEP, leaves=("fax",)))
        assert _contents(bench.app) in (old, new)
        apply()
        assert _contents(bench.app) == new


def test_room_is_counted_for_modules_that_are_carried_over(bench: Bench) -> None:
    huge = bench.app / "modules/own/huge.dat"
    huge.touch()
    os.truncate(huge, 10**13)

    with pytest.raises(Refused) as refused:
        stage(bench.work(StepName.STAGE))

    assert refused.value.refusal is Refusal.DISK_FULL


def test_a_module_that_is_not_what_it_was_to_be_is_found_out(bench: Bench) -> None:
    _update(bench, "fax")
    work = bench.work(StepName.CHECK_HEALTH, leaves=("fax",))
    (bench.app / "modules/crm/module.txt").write_text("version=1.5\n")

    assert confirm_modules(work) == "module crm says 1.5, not 2.0"

    write_tree(bench.app, _module("crm", "2.0") | _module("fax", "2.0"))
    assert confirm_modules(work) == "module fax says 2.0, not 1.0"

    write_tree(bench.app, _module("fax", "1.0") | _module("voice", "2.0"))
    assert confirm_modules(work) == "module voice is there, and was not before"


def test_a_roll_back_that_lost_a_module_is_found_out(bench: Bench) -> None:
    _update(bench)
    (bench.folders.outgoing / "modules/fax/module.txt").unlink()

    with pytest.raises(Failed, match=r"module fax says nothing, not 1\.0"):
        put_old_back(bench.work(_STEP))


def test_a_host_is_not_back_while_a_module_is_not(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bench = with_modules(Bench(tmp_path, port=port), _CRM)
    try:
        _update(bench)
        bench.log_in(Session("1", getpass.getuser(), active=True))
        service_manager.start(bench.work(StepName.START_SERVICE_MANAGER))
        work = bench.work(StepName.CHECK_HEALTH)
        AtPause(work, 1, (bench.app / "modules/crm/module.txt").unlink)
        with pytest.raises(Failed, match=r"module crm says nothing, not 2\.0"):
            check_health(work)
        write_tree(bench.app, _module("crm", "2.0"))
        well = bench.work(StepName.CHECK_HEALTH)
        check_health(well)
        assert well.facts["module.crm"] == "2.0"
    finally:
        bench.close()


@pytest.mark.parametrize("name", ["../../etc", "fax/../crm", "*", "", "modules/crm", "/", "CRM"])
def test_a_name_in_an_order_that_is_no_module_here_has_no_effect(bench: Bench, name: str) -> None:
    _update(bench, name)

    assert (bench.app / "modules/crm/lib/code.bin").read_bytes() == b"crm 2.0"
    assert (bench.app / "modules/fax/lib/code.bin").read_bytes() == b"fax 2.0"


def test_an_app_without_modules_is_updated_whole(tmp_path: Path) -> None:
    bench = with_modules(Bench(tmp_path), _CRM, _VOICE)
    bench.profile = replace(bench.profile, modules=None)

    _update(bench, "crm")

    assert (bench.app / "modules/voice").exists()
    assert not (bench.app / "modules/own").exists()
    assert confirm_modules(bench.work(StepName.CHECK_HEALTH)) == ""


# -- what the survey makes of folders that are not as they should be --------------------------


def test_a_thousand_modules_are_told_as_far_as_they_fit(bench: Bench) -> None:
    for number in range(1000):
        (bench.app / f"modules/m{number:04}").mkdir()
    work = bench.work()

    survey(work)

    assert sum(key.startswith("module.") for key in work.facts) == MOST_TOLD
    assert len(work.facts) <= 64
    found = next(f for f in work.findings if f.code == "modules-untold")
    assert "963 of 1003 modules are not judged" in found.message


@pytest.mark.parametrize("name", ["m" * 34, "two words", "\x1b[31m", "<b>x</b>", ".hidden"])
def test_a_module_with_a_name_that_cannot_be_told_is_said_and_kept(
    bench: Bench, name: str
) -> None:
    (bench.app / "modules" / name).mkdir(parents=True)
    work = bench.work()

    survey(work)
    _update(bench)

    found = next(f for f in work.findings if f.code == "modules-untold")
    assert "\x1b" not in found.message
    assert all(len(key) <= 40 for key in work.facts)
    assert (bench.app / "modules" / name).is_dir()


def test_a_version_file_that_is_huge_or_tells_nothing_is_said(bench: Bench) -> None:
    (bench.app / "modules/crm/module.txt").write_bytes(b"x" * 10_000_000 + b"\nversion=9\n")
    (bench.app / "modules/fax/module.txt").write_text(f"version={'9' * 100}\n")
    (bench.app / "modules/own/module.txt").unlink()
    work = bench.work()

    survey(work)

    assert [work.facts[f"module.{n}"] for n in ("crm", "fax", "own")] == ["", "", ""]
    assert [f.code for f in work.findings].count("module-unread") == 3


def test_a_modules_folder_that_is_no_folder_blocks(bench: Bench) -> None:
    (bench.app / "modules").rename(bench.app / "elsewhere")
    (bench.app / "modules").symlink_to("elsewhere")
    work = bench.work()

    survey(work)

    found = next(f for f in work.findings if f.code == "modules-unreadable")
    assert found.severity is Severity.BLOCKS
    assert not any(key.startswith("module.") for key in work.facts)


# -- what may be put over what, whatever the coordinator says (T14) ---------------------------


def _over(bench: Bench, version: str, terms: Terms) -> None:
    bench.ship(release(version), version)
    bench.packages.the_manifest = replace(bench.packages.the_manifest, terms=terms)


@pytest.mark.parametrize("step", [stage, apply_release])
def test_an_older_release_is_refused_without_signed_permission(
    tmp_path: Path, step: object
) -> None:
    bench = Bench(tmp_path)
    _over(bench, "0.9", Terms())
    before = snapshot(bench.app)

    with pytest.raises(Refused, match=r"cannot put 0\.9 over 1\.0 of bench-app") as refused:
        step(bench.work(_STEP, version="0.9"))  # type: ignore[operator]

    assert refused.value.refusal is Refusal.WRONG_VERSION
    assert snapshot(bench.app) == before


def test_an_older_release_is_put_in_place_when_that_is_signed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    _over(bench, "0.9", Terms(downgrade=True))

    stage(bench.work(StepName.STAGE, version="0.9"))
    apply_release(bench.work(_STEP, version="0.9"))

    assert (bench.app / "version.txt").read_text().startswith("app=0.9")


def test_a_release_is_put_over_the_versions_it_names_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    _over(bench, "3.0", Terms(over=">=2"))

    with pytest.raises(Refused, match="it may be put over >=2 only"):
        stage(bench.work(StepName.STAGE, version="3.0"))


def test_terms_that_cannot_be_read_let_nothing_be_installed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    _over(bench, "3.0", Terms(over="newest"))

    with pytest.raises(Refused, match='"newest" is no range of versions') as refused:
        apply_release(bench.work(_STEP, version="3.0"))

    assert refused.value.refusal is Refusal.PACKAGE_MISMATCH


def test_what_was_begun_is_ended_though_the_release_is_not_over_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    _over(bench, "3.0", Terms(over="<2"))
    stage(bench.work(StepName.STAGE, version="3.0"))
    apply_release(bench.work(_STEP, version="3.0"))

    apply_release(bench.work(_STEP, version="3.0"))

    assert (bench.app / "version.txt").read_text().startswith("app=3.0")
