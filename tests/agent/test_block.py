"""`block = true`: real files that cannot be started while the app is kept closed."""

import logging
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cordon import Cordon
from agent.cordon_block import Block
from agent.journal import Journal
from agent.journal_file import JournalFile
from agent.programs import Programs
from agent.steps.table import Step, Work
from agent.wire.contract import CordonMode, Direction, StepName, StepState
from agent.wire.profile import Close
from tests.agent.fakes import FakePackages, FakePlatform, Orders, profile_of
from tests.agent.rig import Rig
from tests.agent.test_cordon import CODE, LEASED, LIFT, SEALED, WITH_CODE, Host
from tests.until import until

BLOCKING = replace(profile_of(), close=Close(block=True))
MODES = {"app": 0o755, "manager": 0o6750, "updater": 0o644}


class Guarded(Host):
    """A host whose app has real files."""

    def __init__(self, folder: Path, *, fresh: bool = True) -> None:
        super().__init__(folder)
        self.packages = FakePackages(BLOCKING)
        self.bin = folder / "app" / "bin"
        if fresh:
            self._install()

    def _install(self) -> None:
        self.bin.mkdir()
        for name, mode in MODES.items():
            (self.bin / name).write_text("#!/bin/sh\nexit 7\n")
            (self.bin / name).chmod(mode)
        (self.bin / "other").write_text("")

    def modes(self) -> dict[str, int]:
        return {name: mode_of(self.bin / name) for name in MODES}

    @property
    def is_blocked(self) -> bool:
        return set(self.modes().values()) == {0}


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture
def host(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


@pytest.fixture
def cordon(host: Guarded) -> Iterator[Cordon]:
    with host.agent() as started:
        yield started


def test_what_is_kept_closed_cannot_be_started_and_can_again_afterwards(
    host: Guarded, cordon: Cordon
) -> None:
    other = mode_of(host.bin / "other")
    assert cordon.apply(LEASED).detail == ""
    assert host.is_blocked
    assert mode_of(host.bin / "other") == other
    with pytest.raises(PermissionError):
        subprocess.run([host.bin / "app"], check=False)
    cordon.lift(LIFT)
    assert host.modes() == MODES
    assert subprocess.run([host.bin / "app"], check=False).returncode == 7


def test_a_profile_that_does_not_ask_for_it_has_nothing_blocked(host: Guarded) -> None:
    host.packages.the_profile = profile_of()
    with host.agent() as cordon:
        cordon.apply(SEALED)
    assert host.modes() == MODES


def test_a_program_from_elsewhere_is_not_looked_for(host: Guarded) -> None:
    app = replace(BLOCKING.app, programs=("app", "bin/absent"))
    host.packages.the_profile = replace(BLOCKING, app=app)
    with host.agent() as cordon:
        cordon.apply(SEALED)
    assert host.modes() == {"app": 0o755, "manager": 0, "updater": 0}


@pytest.mark.parametrize("way", ["uncordon", "code", "administrator", "lease"])
def test_however_the_cordon_ends_the_modes_come_back(
    host: Guarded, cordon: Cordon, way: str
) -> None:
    cordon.apply(replace(WITH_CODE, mode=CordonMode.LEASED))
    assert host.is_blocked
    if way == "uncordon":
        cordon.lift(LIFT)
    elif way == "code":
        cordon.open_by_code(CODE)
    elif way == "administrator":
        cordon.open_by_administrator()
    else:
        host.platform.now += 1000
    until(lambda: host.modes() == MODES)


def test_the_administrator_has_them_back_while_no_agent_runs(host: Guarded) -> None:
    with host.agent() as cordon:
        cordon.apply(SEALED)
    assert host.is_blocked  # the agent's end is not the cordon's
    with host.agent(guard=False) as from_the_command_line:
        assert from_the_command_line.open_by_administrator()
    assert host.modes() == MODES


@pytest.mark.parametrize("mode", [CordonMode.LEASED, CordonMode.SEALED])
def test_at_the_next_boot_they_come_back_if_the_cordon_has_ended(
    host: Guarded, mode: CordonMode
) -> None:
    with host.agent() as cordon:
        cordon.apply(replace(SEALED, mode=mode))
    host.platform.boot = "boot-2"
    with host.agent():
        assert host.is_blocked is (mode is CordonMode.SEALED)
        assert host.modes() == (MODES if mode is CordonMode.LEASED else dict.fromkeys(MODES, 0))


def test_while_a_step_works_nothing_is_blocked_and_afterwards_it_is_again(
    host: Guarded, cordon: Cordon
) -> None:
    cordon.apply(SEALED)
    with cordon.startable():
        assert host.modes() == MODES
        with cordon.startable():
            cordon.look()
        cordon.look()
        assert host.modes() == MODES
    cordon.look()
    assert host.is_blocked


def test_nothing_is_blocked_between_the_steps_of_a_visit_once_the_manager_runs(
    host: Guarded, cordon: Cordon
) -> None:
    cordon.apply(SEALED)
    with cordon.startable(), cordon.expecting():
        manager = host.platform.open(host.manager)
        cordon.spare(manager)
    cordon.look()
    assert host.modes() == MODES  # it may start its own helpers
    host.platform.table.clear()
    cordon.look()
    assert host.is_blocked


@pytest.mark.parametrize("direction", list(Direction))
def test_every_step_finds_the_files_as_they_were(tmp_path: Path, direction: Direction) -> None:
    host, seen = Guarded(tmp_path), list[dict[str, int]]()
    with host.agent() as cordon:
        cordon.apply(SEALED)

        def handler(work: Work) -> None:
            cordon.look()
            seen.append(host.modes())

        row = Step(StepName.BACK_UP, handler, handler, handler, handler)
        (tmp_path / "runner").mkdir()
        rig = Rig(tmp_path / "runner", {row.name: row}, startable=cordon.startable)
        try:
            order = Orders(StepName.BACK_UP)
            assert rig.take(order.start()).state is StepState.DONE
            assert rig.take(order.start(direction)).state is StepState.DONE
        finally:
            rig.off()
        cordon.look()
        assert host.is_blocked
    assert seen == [MODES] * len(seen) != []


def test_a_file_that_was_put_in_its_place_meanwhile_keeps_its_own_mode(
    host: Guarded, cordon: Cordon, caplog: pytest.LogCaptureFixture
) -> None:
    cordon.apply(SEALED)
    cordon.close()
    (host.bin / "fresh").write_text("new")
    (host.bin / "fresh").chmod(0o700)
    (host.bin / "fresh").replace(host.bin / "app")
    (host.bin / "app").chmod(0)
    cordon.lift(LIFT)
    assert host.modes() == MODES | {"app": 0}
    assert "what was blocked is another file now" in [r.getMessage() for r in caplog.records]


def test_a_file_put_in_its_place_is_blocked_too(host: Guarded, cordon: Cordon) -> None:
    cordon.apply(SEALED)
    (host.bin / "fresh").write_text("new")
    (host.bin / "fresh").chmod(0o700)
    (host.bin / "fresh").replace(host.bin / "app")
    until(lambda: host.is_blocked)
    cordon.lift(LIFT)
    assert host.modes() == MODES | {"app": 0o700}


def test_a_mode_that_somebody_gave_it_meanwhile_is_the_one_it_gets_back(
    host: Guarded, cordon: Cordon
) -> None:
    cordon.apply(SEALED)
    (host.bin / "app").chmod(0o711)
    until(lambda: host.is_blocked)
    cordon.lift(LIFT)
    assert host.modes() == MODES | {"app": 0o711}


def test_no_link_is_followed(host: Guarded, tmp_path: Path) -> None:
    outside = tmp_path / "passwd"
    outside.write_text("root")
    outside.chmod(0o644)
    (host.bin / "app").unlink()
    (host.bin / "app").symlink_to(outside)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        assert mode_of(outside) == 0o644
        (host.bin / "manager").unlink()
        (host.bin / "manager").symlink_to(outside)
        outside.chmod(0)
        cordon.lift(LIFT)
    assert mode_of(outside) == 0


def test_a_file_of_which_there_is_another_name_is_left_and_named(
    host: Guarded, cordon: Cordon, tmp_path: Path
) -> None:
    (tmp_path / "shadow").hardlink_to(host.bin / "app")
    detail = cordon.apply(SEALED).detail
    assert "bin/app" in detail
    assert "has other names" in detail
    assert host.modes() == {"app": 0o755, "manager": 0, "updater": 0}


def test_a_link_made_to_a_blocked_file_does_not_keep_it_blocked(
    host: Guarded, cordon: Cordon, tmp_path: Path
) -> None:
    cordon.apply(SEALED)
    assert host.is_blocked
    (tmp_path / "another-name").hardlink_to(host.bin / "app")
    cordon.lift(LIFT)
    assert host.modes() == MODES


def test_a_folder_that_is_away_at_the_moment_has_its_modes_when_it_comes_back(
    host: Guarded, cordon: Cordon, tmp_path: Path
) -> None:
    cordon.apply(SEALED)
    (tmp_path / "app").rename(tmp_path / "away")
    cordon.lift(LIFT)
    (tmp_path / "away").rename(tmp_path / "app")
    cordon.look()
    assert host.modes() == MODES


def test_what_is_no_list_is_said_and_keeps_nobody_out(
    host: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Journal.open(host.config.state / "j")) as journal:
        journal.memo("~blocked").put("files", '{"files": [{"folder": 7}]}')
    caplog.set_level(logging.CRITICAL)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        assert cordon.lift(LIFT).refusal is None
    assert caplog.records[0].getMessage() == "cannot read what is blocked"


def test_no_more_is_blocked_than_the_list_holds(tmp_path: Path) -> None:
    with closing(Journal(JournalFile(tmp_path / "j"))) as journal:
        block = Block(journal, FakePlatform())
        for number in range(5):
            names = tuple(f"d/{number}-{index}" for index in range(100))
            (tmp_path / "d").mkdir(exist_ok=True)
            for name in names:
                (tmp_path / name).write_text("")
            block.keep(Programs(str(tmp_path), names))
        blocked = [path for path in (tmp_path / "d").iterdir() if mode_of(path) == 0]
        assert len(blocked) == 400
        block.keep(None)
    assert all(mode_of(path) for path in (tmp_path / "d").iterdir())
