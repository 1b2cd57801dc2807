"""`roundsman rollout` at a terminal: watched, explained, aborted."""

import io
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from rich.console import Console

from agent.wire.contract import STILL_IN, TURN_OF, TURN_SECONDS, Direction, StepReport, StepState
from coordinator.api.schemas import RolloutView
from coordinator.api.why import explain
from coordinator.cli.picture import live_table, status_text
from coordinator.cli.rollout import consequences
from coordinator.cli.watching import NEEDED_SECONDS
from coordinator.walk.ports import News, Verb
from coordinator.walk.states import HostState, RolloutState
from tests.api.real import RealOffice
from tests.cli.terminal import Terminal
from tests.plans import make_plan
from tests.until import until

HOST, SECOND = "pc-01-abcdef", "pc-02-abcdef"
STUCK = News(
    RolloutState.NEEDS_OPERATOR,
    "PC-02 is silent in back-up",
    "roundsman rollout skip {rollout} PC-02 --switched-off",
)


@pytest.fixture
def rollout(office: RealOffice) -> str:
    """The id of a rollout under way: PC-01 is being backed up."""
    office.add_hosts()
    office.rollouts.add_plan(make_plan())
    started = office.start("p1")
    office.tell(started, News(RolloutState.WALKING, host=HOST, state=HostState.UPDATING))
    office.rollouts.begin_step(f"{started}/{HOST}/back-up", Direction.DO, 1)
    office.rollouts.note_progress(f"{started}/{HOST}/back-up", Direction.DO, 40, 100)
    return started


def _seen(office: RealOffice) -> RolloutView:
    with office.client() as client:
        return client.rollout("r1")


def _drawn(seen: RolloutView) -> str:
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(live_table(seen, explain(seen)))
    return console.export_text()


def test_the_live_table_has_a_bar_a_visit_and_says_who_holds_it(
    office: RealOffice, rollout: str
) -> None:
    drawn = _drawn(_seen(office))
    assert "back-up, 40 B of 100 B" in drawn
    assert "PC-01: it takes back-up" in drawn
    office.tell(rollout, STUCK)
    drawn = _drawn(_seen(office))
    assert "needs-operator" in drawn
    assert "mend: roundsman rollout skip r1 PC-02 --switched-off" in drawn


def test_what_a_host_says_in_brackets_is_shown_as_it_is(office: RealOffice, rollout: str) -> None:
    said = 'cannot use "[/opt]": [red]disk full'
    office.tell(
        rollout, News(RolloutState.WALKING, said, host="pc-02-abcdef", state=HostState.UNKNOWN)
    )
    assert said in _drawn(_seen(office))


def test_why_gives_the_cause_of_a_roll_back(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    cause = 'apply-release: "RELEASE" says 1.2, not 1.1'
    back = News(RolloutState.WALKING, cause, host=HOST, state=HostState.ROLLED_BACK)
    office.tell(rollout, back)
    office.tell(
        rollout,
        News(RolloutState.NEEDS_OPERATOR, "PC-01 is back", "roundsman rollout skip r1 PC-01"),
    )
    assert f"PC-01 is back: {cause}" in terminal("rollout why").out


def test_the_status_says_what_unblocks_it(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    assert terminal("rollout status").code == 0
    office.tell(rollout, STUCK)
    said = terminal("rollout status")
    assert said.code == 1
    assert "roundsman rollout skip r1 PC-02 --switched-off" in said.out
    assert terminal("rollout why").code == 1
    assert terminal("rollout list").code == 1
    assert "updating" in status_text(_seen(office))


@pytest.mark.parametrize("how", [RolloutState.PARTLY_DONE, RolloutState.PAUSED])
def test_why_needs_a_person_whenever_the_status_does(
    office: RealOffice, rollout: str, terminal: Terminal, how: RolloutState
) -> None:
    office.tell(rollout, News(how))
    assert terminal("rollout why").code == terminal("rollout status").code == 1


def test_a_host_that_was_opened_on_the_spot_is_told_with_what_closes_it_again(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    office.tell(rollout, STUCK)
    office.seal(rollout, [SECOND])
    how = "was opened on the spot, with its one-time code"
    office.cordons.note_opened(SECOND, how, 5.0)
    for said in (terminal("rollout status").out, terminal("rollout why").out):
        assert f"PC-02 {how}" in said
        assert "roundsman rollout retry r1 --host PC-02" in said
        assert "PC-02 is silent in back-up" in said
    office.cordons.renew(SECOND)
    assert how not in terminal("rollout status").out
    assert how not in terminal("rollout why").out


def test_one_that_was_opened_after_the_end_is_told_too(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    office.seal(rollout, [SECOND])
    office.tell(rollout, News(RolloutState.LEFT_CLOSED, "stays closed: PC-02"))
    office.cordons.note_opened(SECOND, "was opened on the spot, by its administrator", 5.0)
    for said in (terminal("rollout status").out, terminal("rollout why").out):
        assert "PC-02 was opened on the spot, by its administrator" in said
        assert "roundsman plan office-demo VERSION" in said


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("marie (session 2)", "marie (session 2) has the turn to update it, until "),
        ("", "nobody is at it who has the turn to update it, until "),
    ],
)
def test_an_attended_turn_is_told_with_who_has_it_and_until_when(
    office: RealOffice, rollout: str, terminal: Terminal, who: str, said: str
) -> None:
    step = f"{rollout}/{HOST}/apply-release"
    office.rollouts.begin_step(step, Direction.DO, 1)
    facts = {TURN_OF: who, TURN_SECONDS: "1800"}
    office.rollouts.note_facts(step, Direction.DO, facts)
    assert said in terminal("rollout why").out
    assert "it takes" not in terminal("rollout why").out
    assert f"turn of {who}, until" in terminal("rollout status").out or not who


def _drains(office: RealOffice, rollout: str, who: str) -> None:
    step = f"{rollout}/{SECOND}/drain"
    office.rollouts.begin_step(step, Direction.DO, 1)
    office.rollouts.note_facts(step, Direction.DO, {STILL_IN: who})


def test_who_is_still_in_is_shown_wherever_a_rollout_is(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    who = "marie, paul (asks a question)"
    _drains(office, rollout, who)

    assert f"drain, still in: {who}" in terminal("rollout status").out
    assert f"drain, still in: {who}" in _drawn(_seen(office))
    shown = {v["host"]: v["still_in"] for v in terminal("rollout status --json").json["visits"]}
    assert shown["PC-02"] == who
    office.rollouts.tell(rollout, News(RolloutState.CLOSING))
    office.tell(rollout, News(RolloutState.CLOSING, host=HOST, state=HostState.DRAINING))
    assert f"PC-02: still in: {who}" in terminal("rollout why").out


def _drained(office: RealOffice, rollout: str, how: StepState = StepState.DONE) -> None:
    report = StepReport(f"{rollout}/{SECOND}/drain", Direction.DO, how, 1)
    office.rollouts.end_step(report, how)


def test_a_drain_that_closed_nobody_is_not_taken_for_nobody_being_in(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    _drains(office, rollout, "marie")
    refused = threading.Timer(1.2, _drained, (office, rollout, StepState.REFUSED))
    later = threading.Timer(2.4, office.tell, (rollout, News(RolloutState.DONE)))
    with _joined(refused), _joined(later):
        said = terminal("rollout watch r1").out

    assert said.count("PC-02: still in: marie") == 1
    assert "nobody is in" not in said


def test_where_a_rollout_stands_is_said_once(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    for place in (HostState.DRAINING, HostState.PENDING):
        office.tell(rollout, News(RolloutState.CLOSING))
        office.tell(rollout, News(RolloutState.CLOSING, host=HOST, state=place))
    office.tell(rollout, News(RolloutState.DONE))
    for words in ("rollout news", "rollout watch"):
        said = terminal(words).out
        assert said.count("rollout closing") == 1
        assert "draining" in said
        assert "pending" in said
    assert len([n for n in terminal("rollout news --json").json if not n["host"]]) > 2


def test_watching_says_who_is_still_in_each_time_that_changes(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    _drains(office, rollout, "marie, [b]paul")
    leaves = threading.Timer(1.2, _drained, (office, rollout))
    later = threading.Timer(2.4, office.tell, (rollout, News(RolloutState.DONE)))
    with _joined(leaves), _joined(later):
        said = terminal("rollout watch r1").out

    assert said.count("PC-02: still in: marie, [b]paul") == 1
    assert said.count("PC-02: nobody is in any more") == 1


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (RolloutState.DONE, 0),
        (RolloutState.PARTLY_DONE, 1),
        (RolloutState.ABORTED, 1),
        (RolloutState.LEFT_CLOSED, 1),
    ],
)
def test_watching_ends_with_the_rollout_and_as_it_ended(
    office: RealOffice, rollout: str, terminal: Terminal, end: RolloutState, code: int
) -> None:
    later = threading.Timer(0.5, office.tell, (rollout, News(end, "so it ended")))
    with _joined(later):
        said = terminal("rollout watch r1")
    assert said.code == code
    assert "PC-01 updating" in said.out
    assert f"rollout {end}: so it ended" in said.out


def test_without_a_terminal_watching_ends_when_a_person_is_needed_for_a_while(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    office.tell(rollout, STUCK)
    office.clock.ahead += NEEDED_SECONDS + 1

    said = terminal("rollout watch r1")

    assert said.code == 1
    assert "roundsman rollout skip r1 PC-02 --switched-off" in said.out


def _joined(thread: threading.Thread) -> "closing[_Joined]":
    thread.start()
    return closing(_Joined(thread))


class _Joined:
    """Closed when the thread has ended."""

    def __init__(self, thread: threading.Thread) -> None:
        self.close: Callable[[], None] = thread.join


def _watch(stdout: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "coordinator.cli", "rollout", "watch", "r1"],
        stdout=stdout,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    )


def test_interrupting_the_watch_leaves_the_rollout_running(
    office: RealOffice, rollout: str
) -> None:
    with _watch(subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert b"r1 goes on without you: roundsman rollout watch r1" in said
    assert process.returncode == 0
    assert office.engine.said == []


def test_at_a_terminal_the_table_is_drawn_anew(office: RealOffice, rollout: str) -> None:
    ours, theirs = pty.openpty()
    drawn = bytearray()
    with _watch(theirs) as process:
        os.close(theirs)
        reader = threading.Thread(target=_read_all, args=(ours, drawn))
        reader.start()
        until(lambda: b"40 B of 100 B" in drawn, 30, "the first table")
        step = f"{rollout}/{HOST}/back-up"
        office.rollouts.note_progress(step, Direction.DO, 90, 100)
        until(lambda: b"90 B of 100 B" in drawn, 30, "the next table")
        office.tell(rollout, News(RolloutState.DONE))
        process.wait(30)
        reader.join(30)
    os.close(ours)
    assert process.returncode == 0


def _read_all(descriptor: int, into: bytearray) -> None:
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # the other end of a terminal has gone
            return
        if not piece:
            return
        into += piece


def test_aborting_says_first_what_becomes_of_each_host(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    said = terminal("rollout abort r1 --roll-back-all --yes")
    assert said.code == 0
    assert "Rolled back to the old release: PC-01" in said.err
    assert [c.verb for c in office.engine.said] == [Verb.ABORT_ROLL_BACK]
    assert "abort --roll-back-all is noted" in said.out
    assert "mixed versions" in terminal("rollout abort r1 --yes").err
    assert office.engine.said[-1].verb is Verb.ABORT_LEAVE_CLOSED


def test_aborting_before_the_first_change_re_opens_all(office: RealOffice) -> None:
    office.rollouts.add_plan(make_plan())
    office.start("p1", RolloutState.PREPARING)
    assert consequences(_seen(office), roll_back_all=False) == (
        "No host is on another release than before: all re-open that were open before it."
    )


def test_aborting_a_drill_re_opens_all_whatever_was_visited(office: RealOffice) -> None:
    office.rollouts.add_plan(replace(make_plan(), drill=True))
    rollout = office.start("p1")
    office.visit(rollout, HOST, 10.0)
    for back in (False, True):
        assert "all re-open that were open before" in consequences(
            _seen(office), roll_back_all=back
        )


def test_starting_an_app_plans_it_first(office: RealOffice, terminal: Terminal) -> None:
    said = terminal("rollout start nothing 1.1")
    assert said.code == 2
    assert "no workstation" in said.err


def test_the_report_can_be_kept_as_a_page(
    office: RealOffice, rollout: str, terminal: Terminal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = tmp_path_factory.mktemp("report") / "r1.html"
    assert terminal("rollout report r1 --html", str(page)).code == 0
    assert page.read_text("utf-8").startswith("<!")
    said = terminal("rollout report r1 --html", "/nonexistent/r1.html")
    assert said.code == 2
    assert "cannot write /nonexistent/r1.html" in said.err


def test_codes_are_a_table_of_host_and_code(
    office: RealOffice, rollout: str, terminal: Terminal
) -> None:
    assert "No host is sealed" in terminal("rollout codes").out
    office.seal(rollout, [HOST])
    said = terminal("rollout codes r1 --json").json
    assert [c["host"] for c in said] == ["PC-01"]
    assert said[0]["code"] in terminal("rollout codes").out
