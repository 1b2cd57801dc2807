"""The close ladder on real processes: each program climbs by itself, gentlest rung first."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.platforms.base import CloseRung, Process, Session
from agent.programs import all_programs
from agent.steps.closing import LOOK_SECONDS, close_all, looks, rungs
from agent.steps.drain import drain
from agent.steps.families import Families
from agent.steps.table import Refused
from agent.wire.contract import StepName
from tests.steps.bench import STUBBORN, SmallWork, script
from tests.steps.desk import Desk, DeskBench, Printers
from tests.until import until

# in sh, which starts at once: time runs twenty times as fast here
_QUITS = """#!/bin/sh
printf '%s ' "$XDG_SESSION_ID" >> "$2"
for pid in $(echo "$1" | tr , ' '); do kill -9 "$pid"; done
"""
_TELLS = """#!/bin/sh
printf %s "$3" > "$2"
kill -9 "$1"
"""
_HANGS = """#!/bin/sh
if [ -n "$2" ]; then trap '' TERM; echo > "$2"; fi
while :; do sleep 0.2; done
"""
_FAMILY = """
import os, pathlib, signal, sys
if len(sys.argv) == 1:
    child = os.spawnv(os.P_NOWAIT, sys.argv[0], [sys.argv[0], "--helper"])
    pathlib.Path(sys.argv[0]).with_name("helper.pid").write_text(str(child))
signal.pause()
"""


class _Sessions(Printers):
    """The real thing, with sessions of the test's own."""

    def __init__(self) -> None:
        super().__init__()
        self.there: list[Session] = []

    def sessions(self) -> Sequence[Session]:
        return self.there


class _Office(DeskBench):
    def people_at_it(self) -> Desk:
        self.platform = self.printers = self.real = _Sessions()
        self.people = self.desk = Desk(platform=self.platform)
        for session in ("s1", "s2"):
            user = self.desk.platform_user()
            self.real.there.append(Session(session, user, active=True))
        return self.desk

    def quits_by(self, code: str, *, program: str = "bin/quit", name: str = "bin/quit") -> Path:
        """Have the app's quit command be this; returns what it writes."""
        (self.app / program).write_text(code)
        (self.app / program).chmod(0o755)
        told = self.root / "quit"
        self.values |= {"told": str(told), "pids": ""}
        close = replace(self.profile.close, quit=(name, "{pids}", "{told}"))
        self.profile = replace(self.profile, close=close)
        return told


@pytest.fixture
def office(tmp_path: Path) -> Iterator[_Office]:
    made = _Office(tmp_path)
    made.people_at_it()
    yield made
    made.close()


def _drained(office: _Office) -> SmallWork:
    work = office.work(StepName.DRAIN)
    drain(work)
    return work


def test_the_ladder_has_every_rung_and_the_last_only_where_it_is_allowed(office: _Office) -> None:
    allowed = replace(office.profile, app=replace(office.profile.app, kill=True))

    gentle = (CloseRung.WINDOW, CloseRung.QUIT_COMMAND, CloseRung.TERMINATE)
    assert rungs(office.profile) == gentle
    assert rungs(allowed) == (*gentle, CloseRung.KILL)


def test_what_does_not_obey_its_window_is_closed_by_its_own_quit_command(office: _Office) -> None:
    told = office.quits_by(_QUITS)
    one, other = office.open_app(), office.open_app()
    office.values["pids"] = f"{one.pid},{other.pid}"
    office.desk.deaf |= {one.pid, other.pid}
    office.desk.sit("s1", one.pid, other.pid)

    work = _drained(office)

    assert work.facts["closed_by"] == "quit-command 2"
    assert told.read_text() == "s1 "  # once, in their session
    assert len(office.guard.spared) == 1


def test_the_quit_command_may_be_told_the_apps_folder(office: _Office) -> None:
    told = office.quits_by(_TELLS)
    quit_command = (*office.profile.close.quit, "{folder}")
    office.profile = replace(
        office.profile, close=replace(office.profile.close, quit=quit_command)
    )
    child = office.open_app()
    office.values["pids"] = str(child.pid)
    office.desk.deaf.add(child.pid)
    office.desk.sit("s1", child.pid)

    assert _drained(office).facts["closed_by"] == "quit-command 1"
    assert told.read_text() == str(office.app)


def test_each_session_is_asked_by_itself(office: _Office) -> None:
    told = office.quits_by(_QUITS)
    one, other = office.open_app(), office.open_app()
    office.desk.deaf |= {one.pid, other.pid}
    office.desk.sit("s1", one.pid)
    office.desk.sit("s2", other.pid)

    assert _drained(office).facts["closed_by"] == "terminate 2"
    assert sorted(told.read_text().split()) == ["s1", "s2"]


def test_a_quit_command_that_does_not_end_is_ended_and_is_not_taken_for_the_app(
    office: _Office,
) -> None:
    told = office.quits_by(_HANGS, program="bin/app", name="bin/app")
    child = office.open_app()
    office.desk.deaf.add(child.pid)
    office.desk.sit("s1", child.pid)

    work = _drained(office)

    assert told.exists()
    assert work.facts["closed_by"] == "terminate 1"
    until(lambda: not office.running(), what="the quit command has ended")


def test_a_quit_command_that_cannot_be_run_is_told_and_the_next_rung_is_tried(
    office: _Office,
) -> None:
    office.quits_by(_QUITS, name="bin/no-such-program")
    child = office.open_app()
    office.desk.deaf.add(child.pid)
    office.desk.sit("s1", child.pid)

    work = _drained(office)

    assert work.found == {"quit-refused"}
    assert work.facts["closed_by"] == "terminate 1"


def test_nothing_of_the_apps_folder_is_run_for_who_has_no_session(office: _Office) -> None:
    told = office.quits_by(_QUITS)
    child = office.open_app()
    office.values["pids"] = str(child.pid)

    assert _drained(office).facts["closed_by"] == "terminate 1"
    office.open_app()
    office.desk.sit("s1")  # its user is there, and it runs without a window elsewhere
    assert _drained(office).facts["closed_by"] == "terminate 1"
    assert not told.exists()


def _family(office: _Office) -> tuple[int, int]:
    (office.app / "bin/app").write_bytes(script(_FAMILY))
    main = office.open_app().pid
    file = office.app / "bin/helper.pid"
    until(lambda: file.exists() and file.read_text(), what="the helper is open")
    helper = int(file.read_text())
    until(lambda: helper in office.running(), what="the helper is seen")
    return main, helper


@pytest.mark.parametrize("shown", ["main", "helper"])
def test_a_program_of_several_processes_is_closed_as_one(office: _Office, shown: str) -> None:
    main, helper = _family(office)
    window, other = (main, helper) if shown == "main" else (helper, main)
    office.desk.sit("s1", window)
    office.desk.ask.add(window)
    there = list[set[int]]()
    office.desk.later(8.0, lambda: there.append(set(office.running())))
    for pid in (window, other):
        office.desk.later(9.0, partial(os.kill, pid, signal.SIGKILL))

    work = _drained(office)

    assert there == [{main, helper}]  # its helper is not ended under it while it asks
    assert work.facts["closed_by"] == "window 1"
    assert work.facts["closed_how"].count("pid") == 1


def test_what_a_program_leaves_behind_still_is_that_program(office: _Office) -> None:
    main, helper = _family(office)
    office.desk.sit("s1", main)

    work = _drained(office)

    assert work.facts["closed_by"] == "terminate 1"
    assert office.running().keys().isdisjoint({main, helper})


def test_processes_that_name_each_other_as_parents_are_one_program() -> None:
    one, other = (
        Process(pid, 1.0, "marie", "2", "/opt/app", (), parent=parent)
        for pid, parent in ((7, 8), (8, 7))
    )

    assert sum(len(family.members) for family in Families().look([one, other])) == 2


def _opened_again(office: _Office) -> Callable[[], object]:
    def open_again() -> None:
        office.desk.sit("s2", office.open_app().pid)

    return open_again


def test_what_is_opened_meanwhile_is_closed_too(office: _Office) -> None:
    child = office.open_app()
    office.desk.sit("s1", child.pid)
    office.desk.later(1.0, _opened_again(office))
    work = office.work(StepName.DRAIN, grace_seconds=5.0)

    drain(work)

    assert work.facts["closed_by"] == "window 2"


def test_one_that_asks_holds_up_no_other(office: _Office) -> None:
    asking, other = office.open_app(), office.open_app()
    office.desk.ask.add(asking.pid)
    office.desk.sit("s1", asking.pid)
    office.desk.sit("s2", other.pid)

    with pytest.raises(Refused):
        _drained(office)

    assert set(office.running()) == {asking.pid}


def test_a_question_that_was_there_before_is_not_closed_but_waited_for(office: _Office) -> None:
    child = office.open_app()
    office.desk.sit("s1", child.pid)
    office.desk.asks(child.pid)
    office.desk.later(5.0, lambda: office.desk.asks(child.pid, now=False))

    work = _drained(office)

    assert work.facts["closed_by"] == "window 1"


def test_close_all_stops_where_nothing_more_is_allowed(office: _Office) -> None:
    ready = office.root / "ready"
    code = STUBBORN.replace("signal.pause()", f"open({str(ready)!r}, 'w').close()\nsignal.pause()")
    (office.app / "bin/updater").write_bytes(script(code))
    stubborn = office.open_app("bin/updater")
    until(ready.exists)
    work = office.work(StepName.DRAIN)
    closed = close_all(work, all_programs(office.profile, office.app))

    assert [process.pid for process in closed.still_open] == [stubborn.pid]


def test_what_was_asked_to_end_is_looked_at_soon_and_then_now_and_then() -> None:
    pauses = looks()
    first = [next(pauses) for _ in range(3)]
    assert sum(first) <= LOOK_SECONDS
    assert [next(pauses) for _ in range(50)] == [LOOK_SECONDS] * 50
