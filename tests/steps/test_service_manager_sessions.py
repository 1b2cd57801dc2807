"""The service manager of several people at one host: stopped for each, and back for each."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Process, Session
from agent.steps import service_manager
from agent.steps.check_health import check_health
from agent.steps.table import Failed, Seat
from agent.steps.whose import unpack
from agent.wire.contract import StepName
from tests.steps.bench import AtPause, Bench, SmallMemo, SmallPeople, SmallWork
from tests.until import until

_STOP, _START = StepName.STOP_SERVICE_MANAGER, StepName.START_SERVICE_MANAGER
_DAEMON, _NOBODY = Session("2", "daemon", active=True), Session("5", "nobody", active=False)


@pytest.fixture
def office() -> Iterator[Bench]:
    """A bench that every user of the host can run programs of; its manager only runs."""
    if os.geteuid() != 0:
        pytest.skip("only root may start a program for somebody else")
    with tempfile.TemporaryDirectory(prefix="office-") as made:
        Path(made).chmod(0o755)
        bench = Bench(Path(made), port=600)
        for folder in (bench.app.parent, bench.app, bench.app / "bin"):
            folder.chmod(0o755)
        shutil.copy("/bin/sleep", bench.app / "bin/manager")
        bare = replace(bench.profile.health, port="", http="", soak_seconds=2.0)
        bench.profile = replace(bench.profile, health=bare)
        bench.log_in(_DAEMON, _NOBODY)
        yield bench
        bench.close()


def _open(bench: Bench, *people: Session) -> None:
    for one in people:
        bench.open_app("bin/manager", "600", user=one.user, session=one.id)
    if any(p.session not in {"2", "5", "7"} for p in bench.running().values()):
        pytest.skip("this host puts every program of a test into a session of its own")


def _people(bench: Bench) -> list[tuple[str, str]]:
    return sorted((p.user, p.session) for p in bench.running().values())


def _stop(bench: Bench) -> SmallWork:
    work = bench.work(_STOP)
    service_manager.stop(work)
    return work


def _start(bench: Bench) -> SmallWork:
    work = bench.work(_START)
    service_manager.start(work)
    return work


def _give_back(bench: Bench) -> SmallWork:
    work = bench.work(_STOP)
    service_manager.give_back(work)
    return work


def _new_rollout(bench: Bench) -> None:
    bench.memos = {step: SmallMemo() for step in StepName}


def test_everybody_who_had_it_has_it_back_in_their_own_session(office: Bench) -> None:
    _open(office, _DAEMON, _NOBODY)
    _stop(office)
    assert office.running() == {}

    work = _start(office)
    assert _people(office) == [("daemon", "2"), ("nobody", "5")]
    assert {p.pid for p in office.guard.spared} == set(office.running())
    assert "daemon (session 2" in work.facts["service_manager"]
    assert "nobody (session 5" in work.facts["service_manager"]

    service_manager.stop_again(office.work(_START))
    assert office.running() == {}
    _give_back(office)
    assert _people(office) == [("daemon", "2"), ("nobody", "5")]


def test_one_user_in_two_sessions_has_it_back_in_both(office: Bench) -> None:
    both = Session("2", "nobody", active=True), Session("5", "nobody", active=False)
    office.log_in(*both)
    _open(office, *both)
    _stop(office)

    _start(office)

    assert _people(office) == [("nobody", "2"), ("nobody", "5")]


def test_who_still_has_one_gets_no_second(office: Bench) -> None:
    _open(office, _DAEMON, _NOBODY)
    _stop(office)
    _start(office)
    (lost,) = [p for p in office.running().values() if p.user == "nobody"]
    (kept,) = [p.pid for p in office.running().values() if p.user == "daemon"]
    os.kill(lost.pid, 9)
    until(lambda: lost.pid not in office.running())

    _start(office)

    assert _people(office) == [("daemon", "2"), ("nobody", "5")]
    assert kept in office.running()


def test_who_had_none_gets_none(office: Bench) -> None:
    _open(office, _NOBODY)
    _stop(office)

    _start(office)

    assert _people(office) == [("nobody", "5")]


def test_who_has_logged_out_meanwhile_is_told_and_nothing_is_left_to_be_given_back(
    office: Bench,
) -> None:
    _open(office, _DAEMON, _NOBODY)
    _stop(office)
    office.log_in(_DAEMON)

    work = _give_back(office)

    assert _people(office) == [("daemon", "2")]
    assert work.facts["logged_out"] == "nobody (session 5)"
    _new_rollout(office)
    _stop(office)
    _give_back(office)
    assert _people(office) == [("daemon", "2")]


def test_who_has_logged_in_anew_has_it_back_there(office: Bench) -> None:
    _open(office, _NOBODY)
    _stop(office)
    office.log_in(_DAEMON, Session("9", "nobody", active=True))

    _give_back(office)

    assert _people(office) == [("nobody", "9")]


def test_after_a_restart_nobody_gets_another_ones(office: Bench) -> None:
    _open(office, _NOBODY)
    _stop(office)
    office.log_in(Session("5", "daemon", active=True))  # numbers begin anew

    work = _give_back(office)

    assert office.running() == {}
    assert work.facts["logged_out"] == "nobody (session 5)"


def test_where_it_ran_for_nobody_it_is_started_for_whoever_is_active_and_not_left_there(
    office: Bench,
) -> None:
    _stop(office)

    _start(office)
    assert _people(office) == [("daemon", "2")]

    work = _give_back(office)  # the walk leaves it running between visits
    assert office.running() == {}
    assert "was not running before" in work.facts["service_manager"]


def test_a_disconnected_session_will_do_where_there_is_no_other(office: Bench) -> None:
    office.log_in(_NOBODY)
    _stop(office)

    _start(office)

    assert _people(office) == [("nobody", "5")]


def test_where_nobody_is_logged_in_it_is_never_started_as_the_system(office: Bench) -> None:
    office.log_in()
    _stop(office)

    work = _start(office)

    assert office.running() == {}
    assert "nobody is logged in" in work.facts["service_manager"]
    work = office.work(StepName.CHECK_HEALTH, version="1.0")
    check_health(work)
    assert "nobody is logged in" in work.facts["not_asked"]
    assert (work.facts["app_version"], work.facts["service_manager_version"]) == ("1.0", "1.0")


def test_where_nobody_is_logged_in_an_old_service_manager_is_found_out_from_its_files(
    office: Bench,
) -> None:
    office.log_in()
    _stop(office)
    _start(office)
    (office.app / "version.txt").write_text("app=1.1\nservice_manager=1.0\n")

    with pytest.raises(Failed, match=r"the service manager says 1\.0, not 1\.1"):
        check_health(office.work(StepName.CHECK_HEALTH))


def test_what_an_earlier_rollout_never_gave_back_is_not_forgotten_for_one_who_has_it_again(
    office: Bench,
) -> None:
    _open(office, _DAEMON, _NOBODY)
    _stop(office)  # and that rollout is left closed
    _new_rollout(office)
    _open(office, _DAEMON)  # by the code

    _stop(office)
    _give_back(office)

    assert _people(office) == [("daemon", "2"), ("nobody", "5")]


def test_it_is_named_whose_did_not_come_back(office: Bench) -> None:
    _open(office, _DAEMON, _NOBODY)
    _stop(office)
    folder = office.app / "bin"
    (folder / "manager").write_bytes(
        b'#!/bin/sh\n[ "$(id -un)" = nobody ] && exit 1\nexec "$0.real" "$@"\n'
    )
    shutil.copy("/bin/sleep", folder / "manager.real")
    manager = replace(office.profile.service_manager, programs=("bin/manager", "bin/manager.real"))
    office.profile = replace(office.profile, service_manager=manager)

    with pytest.raises(Failed, match=r"for nobody \(session 5\)$"):
        _give_back(office)

    assert json.loads(office.owed.get("found") or "")  # still to be given back
    shutil.copy("/bin/sleep", folder / "new")
    (folder / "new").rename(folder / "manager")
    _give_back(office)
    assert _people(office) == [("daemon", "2"), ("nobody", "5")]


def _ended(bench: Bench, user: str) -> Process:
    (process,) = [p for p in bench.running().values() if p.user == user]
    os.kill(process.pid, 9)
    until(lambda: process.pid not in bench.running())
    return process


def test_a_host_is_not_well_while_one_person_lacks_theirs(office: Bench) -> None:
    _open(office, _DAEMON, _NOBODY)
    _stop(office)
    _start(office)
    _ended(office, "nobody")

    with pytest.raises(Failed, match=r"does not run for nobody \(session 5\) \(waited 10 s\)"):
        check_health(office.work(StepName.CHECK_HEALTH, version="1.0"))


def test_each_of_three_sessions_that_had_it_is_confirmed_though_one_is_disconnected(
    office: Bench,
) -> None:
    third = Session("7", "daemon", active=True)  # of one who is there twice
    office.log_in(_DAEMON, _NOBODY, third)
    _open(office, _DAEMON, _NOBODY, third)
    _stop(office)
    work = _start(office)
    assert _people(office) == [("daemon", "2"), ("daemon", "7"), ("nobody", "5")]
    assert len(unpack(work.memo.get("for"))) == 3
    check_health(office.work(StepName.CHECK_HEALTH, version="1.0"))

    (lost,) = [p for p in office.running().values() if p.session == "7"]
    os.kill(lost.pid, 9)
    until(lambda: lost.pid not in office.running())
    with pytest.raises(Failed, match=r"does not run for daemon \(session 7\) \(waited 10 s\)"):
        check_health(office.work(StepName.CHECK_HEALTH, version="1.0"))


def test_one_that_dies_in_the_soak_and_is_started_anew_has_not_stayed_up(office: Bench) -> None:
    _open(office, _DAEMON, _NOBODY)
    _stop(office)
    _start(office)
    work = office.work(StepName.CHECK_HEALTH, version="1.0")
    died: list[Process] = []

    def die() -> None:
        died.append(_ended(office, "nobody"))
        _open(office, _NOBODY)

    AtPause(work, 2, die)
    with pytest.raises(Failed, match=r"of nobody \(session 5\) \(pid \d+\) did not stay up: .*as"):
        check_health(work)
    assert died


def test_one_who_logs_out_in_the_soak_takes_it_along_and_the_host_is_well(office: Bench) -> None:
    _open(office, _DAEMON, _NOBODY)
    _stop(office)
    _start(office)
    work = office.work(StepName.CHECK_HEALTH, version="1.0")

    def log_out() -> None:
        office.log_in(_DAEMON)
        _ended(office, "nobody")

    AtPause(work, 2, log_out)
    check_health(work)

    assert _people(office) == [("daemon", "2")]


def test_a_window_of_it_is_closed_as_its_user_would_and_the_process_is_what_counts(
    office: Bench,
) -> None:
    _open(office, _DAEMON, _NOBODY)
    pids = {p.user: p.pid for p in office.running().values()}
    shows = Seat("2", "daemon", active=True, sees=True, windows=frozenset({pids["daemon"]}))
    people = office.people
    assert isinstance(people, SmallPeople)
    people.at = [shows, Seat("5", "nobody")]

    _stop(office)

    assert people.asked_to_close == [pids["daemon"]]
    assert office.running() == {}
