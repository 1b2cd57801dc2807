"""Closed again at the end of a visit: by the step itself, and not by the guard as a relaunch."""

import getpass
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from agent.platforms.base import Session
from agent.steps import service_manager
from agent.steps.table import Refused
from agent.wire.contract import StepName
from tests.steps.bench import STUBBORN, WAITING, Bench, SmallGuard, script
from tests.until import until

_START = StepName.START_SERVICE_MANAGER


@dataclass
class Looking(SmallGuard):
    """A guard that looks whenever it is told to spare nothing: what still runs it would close."""

    running: Callable[[], list[int]] = list
    left: list[int] | None = None

    def spare_none(self) -> None:
        super().spare_none()
        self.left = self.running()


def _started(bench: Bench, code: str) -> Looking:
    (bench.app / "bin/manager").write_bytes(script(code))
    bench.log_in(Session("1", getpass.getuser(), active=True))
    health = replace(bench.profile.health, port="", http="", http_pattern="")
    bench.profile = replace(bench.profile, health=health)
    guard = bench.guard = Looking(running=lambda: list(bench.running()))
    service_manager.start(bench.work(_START))
    assert guard.spared
    return guard


def test_it_is_spared_until_it_has_ended(bench: Bench) -> None:
    guard = _started(bench, WAITING)
    service_manager.stop_again(bench.work(_START))
    assert (guard.spared, guard.left) == ([], [])


def test_one_that_does_not_go_is_left_to_the_guard(bench: Bench) -> None:
    ready = bench.root / "ready"
    said = f"open({str(ready)!r}, 'w').close()\nsignal.pause()"
    guard = _started(bench, STUBBORN.replace("signal.pause()", said))
    until(ready.exists)
    with pytest.raises(Refused):
        service_manager.stop_again(bench.work(_START))
    assert guard.spared == []
    assert guard.left == list(bench.running())
