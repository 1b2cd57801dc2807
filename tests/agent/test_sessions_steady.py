"""What the agent holds for its desktops does not grow, whatever they do."""

import gc
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from agent.wire.notices import Notice, NoticeKind
from tests.agent.desks import Desks, desks
from tests.until import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
AGENT = """
import signal
from agent.platforms.linux_desktops import LinuxDesktops
control = LinuxDesktops([{!r}], {!r})
program = control.start(control.desktops()[0])
signal.pause()
"""
MOST_GROWTH = 1_500_000  # bytes: what is kept of one life or notice too many comes to more


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def lives(host: Desks, count: int) -> None:
    until(lambda: len(host.lives()) >= count, 30, f"{count} lives")


def test_handles_threads_and_memory_stay_as_they_are_through_many_bad_lives() -> None:
    with desks("lie=huge-line", "listen") as host:
        host.start()
        host.log_in()
        lives(host, 3)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0], handles(), threading.active_count()
        lives(host, 12)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before[0]
        tracemalloc.stop()
        until(lambda: handles() <= before[1], 30, "between two lives as few handles as before")
        assert grown < MOST_GROWTH
        assert threading.active_count() == before[2]


def test_memory_stays_as_it_is_through_many_notices_to_a_program_that_is_killed() -> None:
    with desks("listen") as host:
        host.start()
        host.log_in()
        until(host.working)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(5000):
            notice = Notice(NoticeKind.CLOSE, "Bench App", message=f"{number}")
            host.people.show(notice, (f"gone-{number}",))
            if number % 1000 == 0:
                for pid in host.working():
                    os.kill(pid, signal.SIGKILL)
        host.people.hush()
        until(host.working)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert after - before < MOST_GROWTH


def test_a_program_does_not_outlive_an_agent_that_is_killed(tmp_path: Path) -> None:
    with desks("hang") as host:
        host.log_in()
        (screen,) = [d.environment["DISPLAY"] for d in host.control.desktops()]
        program = (str(host.folder / "standin_desktop.py"), str(host.folder), "hang")
        with subprocess.Popen([sys.executable, "-c", AGENT.format(screen, program)]) as agent:
            until(host.working)
            agent.kill()
        until(lambda: not host.working(), what="the kernel has ended it")
