"""The drain as people see it: real desktops, the programs in them, windows, questions, clicks."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.platforms.linux import Linux
from agent.platforms.linux_desktops import LinuxDesktops
from agent.session.messages import CodeJudged
from agent.session.tops import Top
from agent.sessions import Sessions
from agent.steps.drain import drain
from agent.steps.table import Refused
from agent.wire.contract import STILL_IN, StepName
from agent.wire.profile import Unattended, Windowless
from tests.desktop.people import STAND_IN, Hands
from tests.desktop.screens import desktop, end, environment_of
from tests.steps.bench import Bench, SmallWork, script
from tests.until import until


@dataclass
class Host:
    """A host with two screens, one person at each, and an agent that is about to drain it."""

    bench: Bench
    displays: list[str]
    sessions: Sessions
    open: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def opens(self, screen: int, *options: str) -> "subprocess.Popen[bytes]":
        """Have the person at a screen open the app; returns once its window is seen."""
        command = [str(self.bench.app / "bin/app"), *options]
        child = subprocess.Popen(
            command, env=environment_of(self.displays[screen]), stdout=subprocess.PIPE
        )
        self.open.append(child)
        assert child.stdout
        assert child.stdout.readline() == b"there\n"
        if "--hidden" not in options:
            until(lambda: any(child.pid in s.windows for s in self.sessions.seats()), 20)
        return child

    def work(self, **params: object) -> SmallWork:
        work = self.bench.work(StepName.DRAIN, **params)
        work.people = self.sessions
        return work

    def notices(self, hands: Hands) -> list[Top]:
        """Return the windows on a screen that are none of the app's."""
        apps = {child.pid for child in self.open}
        return [top for top in hands.screen.tops() if top.pid not in apps]


def _no_code(_user: str, _code: str) -> CodeJudged:
    return CodeJudged(False)


@pytest.fixture(scope="module")
def displays() -> Iterator[list[str]]:
    with ExitStack() as held:
        yield [held.enter_context(desktop()) for _ in range(2)]


@pytest.fixture
def host(tmp_path: Path, displays: list[str]) -> Iterator[Host]:
    bench = Bench(tmp_path)
    bench.platform = Linux()
    (bench.app / "bin/app").write_bytes(script(STAND_IN.read_text("utf-8")))
    sessions = Sessions(LinuxDesktops(displays))
    sessions.start(_no_code)
    here = Host(bench, displays, sessions)
    try:
        until(lambda: sum(seat.sees for seat in sessions.seats()) == len(displays), 30, "seats")
        yield here
    finally:
        sessions.close()
        for child in here.open:
            end(child)
            if child.stdout:
                child.stdout.close()
        bench.close()


@contextmanager
def _draining(work: SmallWork) -> Iterator[Callable[[], None]]:
    """Drain in a thread of its own; what is yielded waits for its end."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            drain(work)
        except Refused as refused:
            failures.append(refused)

    thread = threading.Thread(target=run)
    thread.start()

    def ended() -> None:
        thread.join(60)
        assert not thread.is_alive()
        if failures:
            raise failures[0]

    yield ended
    thread.join(60)


def test_a_window_is_closed_at_the_end_as_its_user_would(host: Host) -> None:
    one, other = host.opens(0), host.opens(1)
    work = host.work(grace_seconds=1.0)

    drain(work)

    assert work.facts["closed_by"] == "window 2"
    assert (one.wait(10), other.wait(10)) == (0, 0)


def test_who_clicks_that_the_work_is_saved_is_closed_at_once_and_the_other_goes_on(
    host: Host,
) -> None:
    one, other = host.opens(0), host.opens(1)
    work = host.work(grace_seconds=600.0)

    with (
        Hands(host.displays[0]) as first,
        Hands(host.displays[1]) as second,
        _draining(work) as ended,
    ):
        until(lambda: host.notices(first), 20, "a notice on the first screen")
        notice = host.notices(first)[0]
        first.is_still(notice)
        until(lambda: first.buttons(notice.id))
        first.click_button(notice, 0)
        assert one.wait(20) == 0
        until(lambda: not host.notices(first), 20, "the notice goes with the app")
        assert host.notices(second)
        assert other.poll() is None
        end(other)
        ended()

    assert work.facts["closed_by"] == "window 1, by-itself 1"


def test_a_question_is_told_while_it_stands_and_its_answer_is_waited_for(host: Host) -> None:
    child = host.opens(0, "--unsaved")
    work = host.work(grace_seconds=0.5)

    with Hands(host.displays[0]) as person, _draining(work) as ended:
        until(lambda: "asks a question" in work.facts.get(STILL_IN, ""), 20, "a question")
        question = next(top for top in person.screen.tops() if top.pid == child.pid and top.owner)
        person.activate(question)
        person.press("Return")
        ended()

    assert work.found == {"asks-a-question"}
    assert work.facts["closed_by"] == "window 1"
    assert child.wait(10) == 0


def test_a_program_that_shows_no_window_is_left_alone_when_the_profile_says_so(
    host: Host,
) -> None:
    close = replace(host.bench.profile.close, windowless=Windowless.WAIT)
    host.bench.profile = replace(host.bench.profile, close=close)
    child = host.opens(0, "--hidden")

    with pytest.raises(Refused, match="without a window"):
        drain(host.work(grace_seconds=1.0))

    assert child.poll() is None


_A_MOMENT = 0.1  # of a minute; a profile says whole ones


def test_who_touches_nothing_is_away_and_is_back_at_the_first_key(host: Host) -> None:
    close = replace(
        host.bench.profile.close,
        unattended=Unattended.ASK,
        away_minutes=_A_MOMENT,  # type: ignore[arg-type]
    )
    host.bench.profile = replace(host.bench.profile, close=close)
    child = host.opens(0)
    work = host.work(grace_seconds=600.0)

    with Hands(host.displays[0]) as person, _draining(work) as ended:
        until(lambda: work.facts.get(STILL_IN, "").endswith("(away)"), 30, "nobody there")
        person.press("a")
        until(lambda: "away" not in work.facts[STILL_IN], 30, "somebody there")
        end(child)
        ended()

    assert "idle" not in repr(work.facts)
