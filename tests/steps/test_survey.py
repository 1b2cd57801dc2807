import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.survey import survey
from agent.wire.contract import Finding, Severity, StepName
from agent.wire.profile import Apply, ApplyKind, Profile, VersionKind, VersionReader
from tests.steps.bench import Bench, FastLinux, SmallWork, release, snapshot, write_tree

_COMMANDS = ["[service_manager] start", "[close] quit", "[apply] open"]


def _surveyed(bench: Bench, **params: object) -> SmallWork:
    work = bench.work(StepName.SURVEY, **params)
    survey(work)
    return work


def _severity(work: SmallWork, code: str) -> Severity:
    return next(finding.severity for finding in work.findings if finding.code == code)


def test_a_healthy_host_has_facts_and_nothing_that_blocks(bench: Bench) -> None:
    before = snapshot(bench.app.parent)

    work = _surveyed(bench)

    assert work.facts["app_version"] == "1.0"
    assert work.facts["service_manager_version"] == "1.0"
    assert work.facts["app_folder"] == str(bench.app)
    assert work.facts["system"] == "linux"
    assert work.facts["open_users"] == ""
    assert int(work.facts["app_bytes"]) > int(work.facts["keep_bytes"]) > 0
    assert int(work.facts["free_bytes"]) > int(work.facts["need_bytes"]) > 0
    assert work.findings == []
    assert snapshot(bench.app.parent) == before


def test_it_can_be_made_before_a_release_is_chosen(bench: Bench) -> None:
    work = _surveyed(bench, package=None, version="")

    assert int(work.facts["need_bytes"]) >= int(work.facts["app_bytes"])


def test_who_has_the_app_open_is_told(bench: Bench) -> None:
    bench.open_app()
    bench.open_app("bin/app")

    work = _surveyed(bench)

    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True)
    assert work.facts["open_users"] == user.stdout.strip()
    assert work.facts["open_sessions"] == "1"


def test_an_absent_app_blocks(bench: Bench) -> None:
    bench.app.rename(bench.root / "away")

    work = _surveyed(bench)

    assert _severity(work, "app-absent") is Severity.BLOCKS


def test_an_old_half_update_is_found(bench: Bench) -> None:
    write_tree(bench.app, release("1.0", manager="0.9"))

    work = _surveyed(bench)

    assert "half-update" in work.found
    assert work.facts["service_manager_version"] == "0.9"


@pytest.mark.parametrize("content", [b"", b"no version here", b"\xff\xfe\x00", b"app=\x07\n"])
def test_a_version_that_cannot_be_read_is_found(bench: Bench, content: bytes) -> None:
    (bench.app / "version.txt").write_bytes(content)

    work = _surveyed(bench)

    assert work.facts["app_version"] == ""
    assert "version-unread" in work.found


def test_a_vendors_left_over_is_found_and_ours_is_told_apart(bench: Bench) -> None:
    (bench.app.parent / "app_old").mkdir()
    bench.folders.outgoing.mkdir()
    (bench.app.parent / "app2_old").mkdir()

    work = _surveyed(bench)

    assert _severity(work, "left-over-old") is Severity.WARNING
    assert _severity(work, "kept-folder") is Severity.NOTE
    assert len(work.findings) == 2


@pytest.mark.parametrize("planted", ["link", "file"])
def test_what_bears_the_name_of_a_kept_release_and_is_none_is_found(
    bench: Bench, planted: str
) -> None:
    if planted == "link":
        bench.folders.outgoing.symlink_to(bench.app)
    else:
        bench.folders.outgoing.write_text("")

    assert _severity(_surveyed(bench), "planted-old") is Severity.WARNING


class _NoRename(FastLinux):
    def rename(self, source: Spot, target: Spot) -> None:
        raise PermissionError(13, "Permission denied", str(source))


def test_a_folder_that_cannot_be_renamed_blocks_and_leaves_nothing_behind(bench: Bench) -> None:
    bench.platform = _NoRename()

    work = _surveyed(bench)

    assert _severity(work, "rename-refused") is Severity.BLOCKS
    assert [path.name for path in bench.app.parent.iterdir()] == ["app"]


def test_what_a_survey_that_was_cut_short_left_is_swept_away(bench: Bench) -> None:
    before = snapshot(bench.app.parent)
    for folder in (bench.app.parent, bench.app):
        write_tree(folder / ".roundsman-test-left", {"one": b""})
        write_tree(folder / ".roundsman-test-left-renamed", {"two": b""})
        (folder / ".roundsman-test-program").write_bytes(b"")

    _surveyed(bench)

    assert snapshot(bench.app.parent) == before


def test_an_app_folder_that_has_become_a_link_is_no_app(bench: Bench) -> None:
    real = bench.app.with_name("real")
    bench.app.rename(real)
    bench.app.symlink_to(real)

    assert _severity(_surveyed(bench), "app-absent") is Severity.BLOCKS


class _FullDisk(FastLinux):
    def free_bytes(self, folder: Path) -> int:
        return 1000


def test_too_little_room_blocks_with_figures(bench: Bench) -> None:
    bench.platform = _FullDisk()

    work = _surveyed(bench)

    finding = next(f for f in work.findings if f.code == "disk-full")
    assert finding.severity is Severity.BLOCKS
    assert "it needs" in finding.message
    assert "0.0 MB are free" in finding.message


class _TwoDisks(FastLinux):
    def same_volume(self, one: Path, other: Path) -> bool:
        return False

    def free_bytes(self, folder: Path) -> int:
        return 10**9 if folder.name == "staging" else 10


def test_two_disks_are_judged_each_for_itself(bench: Bench) -> None:
    bench.platform = _TwoDisks()

    work = _surveyed(bench)

    full = [finding.message for finding in work.findings if finding.code == "disk-full"]
    assert len(full) == 1
    assert "backups" in full[0]


def test_a_value_the_host_does_not_give_blocks_and_says_where_it_goes(bench: Bench) -> None:
    bench.values = {}

    work = _surveyed(bench)

    finding = next(f for f in work.findings if f.code == "value-missing")
    assert finding.severity is Severity.BLOCKS
    assert "[apps.bench-app] in agent.toml" in finding.fix


def _with_argument(profile: Profile, key: str, text: str, program: str = "bin/app") -> Profile:
    """Have one argument of the profile, of those that a program is given, be this."""
    command, manager = (program, text), profile.service_manager
    reader = VersionReader(VersionKind.PROGRAM, "bin/app", arguments=(text,))
    return {
        "[close] quit": replace(profile, close=replace(profile.close, quit=command)),
        "[service_manager] start": replace(
            profile, service_manager=replace(manager, start=command)
        ),
        "[apply] open": replace(profile, apply=Apply(ApplyKind.ATTENDED, open=command)),
        "installer": replace(profile, apply=replace(profile.apply, arguments=(text,))),
        "app's version": replace(profile, app=replace(profile.app, version=reader)),
        "its version": replace(profile, service_manager=replace(manager, version=reader)),
    }[key]


@pytest.mark.parametrize("key", [*_COMMANDS, "installer", "app's version", "its version"])
def test_an_argument_may_ask_for_the_apps_folder_and_for_what_the_host_gives(
    bench: Bench, key: str
) -> None:
    bench.profile = _with_argument(bench.profile, key, "{folder}/{port}/{nothing}")

    assert "asks for a value nothing" in _found(bench, "value-missing").message
    bench.profile = _with_argument(bench.profile, key, "{folder}/{port}")
    assert "value-missing" not in _surveyed(bench).found


def _with_address(profile: Profile, key: str, text: str) -> Profile:
    health = profile.health
    page = VersionReader(VersionKind.HTTP, f"http://127.0.0.1:{text}/version")
    manager = replace(profile.service_manager, version=page)
    return {
        "port": replace(profile, health=replace(health, port=text)),
        "http": replace(profile, health=replace(health, http=page.source)),
        "reach": replace(profile, reach=(f"127.0.0.1:{text}",)),
        "app's page": replace(profile, app=replace(profile.app, version=page)),
        "its page": replace(profile, service_manager=manager),
    }[key]


@pytest.mark.parametrize("key", ["port", "http", "reach", "app's page", "its page"])
@pytest.mark.parametrize("name", ["nothing", "folder"])
def test_an_address_is_filled_with_what_the_host_gives_only(
    bench: Bench, key: str, name: str
) -> None:
    bench.profile = _with_address(bench.profile, key, f"{{{name}}}")

    assert f"asks for a value {name}" in _found(bench, "value-missing").message
    bench.values[name] = "9"
    assert "value-missing" not in _surveyed(bench).found


def test_a_keep_pattern_that_matches_nothing_is_noted(bench: Bench) -> None:
    (bench.app / "certs/server.pem").unlink()

    assert _severity(_surveyed(bench), "keep-nothing") is Severity.NOTE


def test_the_rights_of_the_folder_are_told(bench: Bench) -> None:
    bench.app.chmod(0o777)

    assert _surveyed(bench).facts["folder_rights"] == f"drwxrwxrwx owner {os.geteuid()}"


@pytest.mark.parametrize("key", _COMMANDS)
def test_a_command_of_the_profile_that_cannot_be_run_is_found_with_its_mend(
    bench: Bench, key: str
) -> None:
    bench.profile = _with_argument(bench.profile, key, "--x", "lib/code.bin")
    (bench.app / "lib/code.bin").chmod(0o644)

    found = _found(bench, "program-not-executable")

    assert found.severity is Severity.WARNING
    assert key in found.message
    assert found.fix == f'chmod +x "{bench.app / "lib/code.bin"}"'
    (bench.app / "lib/code.bin").unlink()
    missing = _found(bench, "program-missing")
    assert key in missing.message
    assert "is no file here" in missing.message
    assert key in missing.fix


def test_where_a_link_leads_is_not_judged(bench: Bench) -> None:
    bench.profile = _with_argument(bench.profile, "[close] quit", "--x", "lib/code.bin")
    (bench.app / "lib/code.bin").rename(bench.app / "lib/real.bin")
    (bench.app / "lib/code.bin").symlink_to("real.bin")
    assert "program-missing" not in _surveyed(bench).found
    (bench.app / "lib").rename(bench.app / "lib-1")
    (bench.app / "lib").symlink_to("lib-1")
    assert "program-missing" not in _surveyed(bench).found


def _found(bench: Bench, code: str) -> Finding:
    return next(finding for finding in _surveyed(bench).findings if finding.code == code)
