"""What a step has given back lives on, also when the guard looks just as the seal ends."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cordon import Cordon
from agent.cordon_record import CordonTools
from agent.journal import Journal
from agent.journal_file import JournalFile
from agent.platforms.base import Process
from agent.wire.contract import CordonMode
from tests.agent.fakes import LATER_ROLLOUT, FakePlatform
from tests.agent.test_cordon import CODE, LIFT, SEALED, WITH_CODE, Host
from tests.until import until


class SlowPlatform(FakePlatform):
    """A platform whose process table, once `slow` is set, is read until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = threading.Event()
        self.reading = threading.Event()
        self.go = threading.Event()

    def processes(self) -> Sequence[Process]:
        found = super().processes()
        if self.slow.is_set():
            self.slow.clear()
            self.reading.set()
            assert self.go.wait(10)
        return found


WAYS: list[tuple[str, Callable[[Cordon], object]]] = [
    ("uncordon", lambda cordon: cordon.lift(LIFT)),
    ("code", lambda cordon: cordon.open_by_code(CODE)),
    ("administrator", lambda cordon: cordon.open_by_administrator()),
]


@pytest.mark.parametrize("way", [way for _, way in WAYS], ids=[name for name, _ in WAYS])
def test_a_look_begun_before_a_seal_ends_does_not_close_what_was_given_back(
    tmp_path: Path, way: Callable[[Cordon], object]
) -> None:
    host = Host(tmp_path)
    host.platform = platform = SlowPlatform()
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)
        with cordon.expecting():
            manager = platform.open(host.manager)
            cordon.spare(manager)
        platform.slow.set()
        assert platform.reading.wait(10)  # the guard is on, and in the middle of a look
        opening = threading.Thread(target=way, args=(cordon,))
        opening.start()
        until(lambda: cordon.state()[0] is CordonMode.NONE, what="the seal ends")
        platform.go.set()
        opening.join()
        cordon.look()
        assert platform.is_alive(manager)


class SlowJournal(Journal):
    """A journal in which the guard, once `slow` is set, is held up when it has read the marks."""

    def __init__(self, file: JournalFile) -> None:
        super().__init__(file)
        self.slow, self.read, self.go = (threading.Event() for _ in range(3))

    def spared(self, processes: Collection[Process], boot_id: str) -> Mapping[int, str]:
        known = super().spared(processes, boot_id)
        if processes and self.slow.is_set():
            self.slow.clear()
            self.read.set()
            assert self.go.wait(10)
        return known


def test_a_look_held_up_while_a_step_ends_does_not_close_what_that_step_has_started(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    tools = CordonTools(host.platform, host.config, host.packages.profile, host.people)
    with closing(SlowJournal.open(host.config.state / "j")) as journal:
        assert isinstance(journal, SlowJournal)
        cordon = Cordon(journal, tools)
        cordon.start()
        cordon.apply(SEALED)
        with cordon.expecting():
            manager = host.platform.open(host.manager)
            journal.slow.set()
            assert journal.read.wait(10)
            cordon.spare(manager)
        journal.go.set()
        cordon.look()
        cordon.close()
    assert host.platform.is_alive(manager)


def test_what_was_opened_before_a_step_does_not_pass_for_what_it_starts(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        stray = host.platform.open(host.manager)
        with cordon.expecting():
            assert not host.platform.is_alive(stray)
            manager = host.platform.open(host.manager)
            cordon.spare(manager)
        cordon.look()
        assert host.platform.is_alive(manager)


def test_the_next_cordon_spares_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        manager = host.platform.open(host.manager)
        cordon.spare(manager)
        cordon.lift(LIFT)
        later = replace(SEALED, rollout=LATER_ROLLOUT)
        assert cordon.apply(later).spared == ()
        until(lambda: not host.platform.is_alive(manager))


def test_what_is_spared_is_closed_once_it_turns_into_another_program(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        with cordon.expecting():
            manager = host.platform.open(host.manager)
            cordon.spare(manager)
        assert [seen.pid for seen in cordon.look().spared] == [manager.pid]
        turned = replace(manager, exe=host.app, argv=(host.app,))
        host.platform.table[manager.pid] = turned
        until(lambda: not host.platform.is_alive(turned))


def test_a_quit_command_of_an_agent_that_died_is_spared_no_more(tmp_path: Path) -> None:
    host = Host(tmp_path)
    command = host.platform.open(host.app, age=1)
    manager = host.platform.open(host.manager, age=1)
    with host.agent(guard=False) as cordon:
        cordon.apply(SEALED)
        cordon.spare(command)
        cordon.spare(manager)
    with host.agent():
        until(lambda: not host.platform.is_alive(command))
        assert host.platform.is_alive(manager)


def test_nothing_is_spared_for_a_process_of_an_earlier_boot(tmp_path: Path) -> None:
    host = Host(tmp_path)
    manager = host.platform.open(host.manager, age=1)
    with host.agent(guard=False) as cordon:
        cordon.apply(SEALED)
        cordon.spare(manager)
    host.platform.boot = "boot-2"
    with host.agent():
        until(lambda: not host.platform.is_alive(manager))
