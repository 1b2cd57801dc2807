"""A service manager in the tray is stopped by its process, whether its icon is seen or not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.platforms.linux import Linux
from agent.platforms.linux_desktops import LinuxDesktops
from agent.session.messages import CodeJudged
from agent.sessions import Sessions
from agent.steps import service_manager
from agent.wire.contract import StepName
from tests.desktop.people import STAND_IN, app
from tests.desktop.test_eyes import tray_place
from tests.steps.bench import Bench
from tests.until import until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.platform = Linux()
    shutil.copy(STAND_IN, made.app / "bin/manager")
    yield made
    made.close()


@contextmanager
def _people(display: str) -> Iterator[Sessions]:
    people = Sessions(LinuxDesktops([display]))
    people.start(lambda _user, _code: CodeJudged(False))
    try:
        until(lambda: [seat.sees for seat in people.seats()] == [True], 30, "a seat")
        yield people
    finally:
        people.close()


@pytest.mark.parametrize("icon", ["shown", "hidden"])
def test_a_tray_program_is_stopped_whether_its_icon_shows_or_not(
    bench: Bench, display: str, icon: str
) -> None:
    with app(display, "--tray-itself") as tray, _people(display) as people:
        options = ("--tray", tray_place(tray)) if icon == "shown" else ("--hidden",)
        with app(display, *options, file=bench.app / "bin/manager") as manager:
            assert not any(manager.pid in seat.windows for seat in people.seats())
            work = bench.work(StepName.STOP_SERVICE_MANAGER)
            work.people = people
            service_manager.stop(work)
            assert manager.wait(10) != 0
        assert tray.poll() is None
