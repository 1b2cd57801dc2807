"""What is opened anew in a closed group is the guard's: a step waits for it, for a while."""

import itertools
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from agent.platforms.base import Process
from agent.steps import drain, service_manager
from agent.steps.relaunched import GUARD_SECONDS, staying
from agent.steps.table import Refused
from agent.wire.contract import Refusal, StepName
from tests.steps.bench import WAITING, Bench, FastLinux, SmallWork, script


class StandingClock(FastLinux):
    """A real machine where time passes in pauses only, and something may happen at a look."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0
        self.looks = 0
        self.happens: dict[int, Callable[[], object]] = {}

    def clock(self) -> float:
        return self.at + self.skipped

    def processes(self) -> list[Process]:
        self.looks += 1
        self.happens.get(self.looks, lambda: None)()
        return list(super().processes())


@dataclass
class Desk:
    """A step on a machine whose clock stands, and what it finds open at each look."""

    work: SmallWork
    open: Callable[[], list[Process]] = list
    seen: list[list[Process]] = field(default_factory=list)

    def look(self) -> list[Process]:
        self.seen.append(self.open())
        return self.seen[-1]


@pytest.fixture
def machine(bench: Bench) -> StandingClock:
    bench.platform = StandingClock()
    return bench.platform


@pytest.fixture
def desk(bench: Bench, machine: StandingClock) -> Desk:
    return Desk(bench.work(StepName.APPLY_RELEASE))


def _process(pid: int, started: float) -> Process:
    return Process(pid, started, "marie", "2", "/app/bin/app", ("/app/bin/app",))


def test_where_nothing_is_open_one_look_is_enough(desk: Desk, machine: StandingClock) -> None:
    assert staying(desk.work, desk.look) == []
    assert (len(desk.seen), machine.skipped) == (1, 0.0)


def test_what_was_open_before_is_not_waited_for(desk: Desk, machine: StandingClock) -> None:
    old = _process(7, -GUARD_SECONDS)
    desk.open = lambda: [old, _process(8, 0.0)]
    assert old in staying(desk.work, desk.look)
    assert (len(desk.seen), machine.skipped) == (1, 0.0)


def test_what_was_opened_anew_is_given_the_time_that_the_guard_needs(desk: Desk) -> None:
    left = iter([[_process(7, 0.0)], [_process(7, 0.0)], []])
    desk.open = lambda: next(left)
    assert staying(desk.work, desk.look) == []


def test_what_was_opened_anew_and_stays_is_open(desk: Desk, machine: StandingClock) -> None:
    desk.open = lambda: [_process(7, 0.0)]
    assert staying(desk.work, desk.look) == [_process(7, 0.0)]
    assert machine.skipped >= GUARD_SECONDS


def test_one_relaunch_after_the_other_is_not_waited_for_without_end(
    desk: Desk, machine: StandingClock
) -> None:
    pids = itertools.count(7)
    desk.open = lambda: [_process(next(pids), machine.clock())]
    assert len(staying(desk.work, desk.look)) == 1


@pytest.mark.parametrize(
    ("program", "refuse", "refusal"),
    [
        ("bin/app", drain.refuse_while_open, Refusal.APP_STILL_OPEN),
        ("bin/updater", drain.refuse_while_open, Refusal.APP_STILL_OPEN),
        (
            "bin/manager",
            service_manager.refuse_while_running,
            Refusal.SERVICE_MANAGER_STILL_RUNNING,
        ),
    ],
)
def test_a_step_waits_until_the_guard_has_ended_a_relaunch_and_refuses_one_that_it_leaves(
    bench: Bench,
    machine: StandingClock,
    program: str,
    refuse: Callable[[object], None],
    refusal: Refusal,
) -> None:
    (bench.app / "bin/manager").write_bytes(script(WAITING))
    child = bench.open_app(program)
    machine.at, machine.looks = bench.running()[child.pid].started, 0
    with pytest.raises(Refused) as refused:
        refuse(bench.work(StepName.APPLY_RELEASE))
    assert refused.value.refusal is refusal
    assert str(refused.value).count(f"pid {child.pid}") == 1

    machine.skipped, machine.looks = 0.0, 0
    machine.happens[3] = lambda: _end(child)
    refuse(bench.work(StepName.APPLY_RELEASE))
    assert child.returncode == -9
    assert machine.skipped < GUARD_SECONDS


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
