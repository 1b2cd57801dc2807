"""A service manager is told as given back once its port and its page answer, and not before."""

import getpass
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Session
from agent.steps import service_manager
from agent.steps.probes import why_no_answer
from agent.steps.table import Failed
from agent.wire.contract import StepName
from tests.steps.bench import MANAGER, WAITING, AtPause, Bench, SmallWork, script
from tests.until import until

_STOP = StepName.STOP_SERVICE_MANAGER


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose service manager ran, and was stopped for a rollout."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bench = Bench(tmp_path, port=port, timeout="20")
    bench.log_in(Session("1", getpass.getuser(), active=True))
    bench.open_app("bin/manager", str(port))
    until(lambda: why_no_answer(port) == "")
    service_manager.stop(bench.work(_STOP))
    yield bench
    bench.close()


def _behaves(bench: Bench, code: str) -> None:
    (bench.app / "bin/manager").write_bytes(script(code))


def _given_back(bench: Bench) -> SmallWork:
    work = bench.work(_STOP)
    service_manager.give_back(work)
    return work


def _patient(bench: Bench) -> Bench:
    """Bear what takes long: the bench's clock jumps ahead at every pause."""
    health = replace(bench.profile.health, timeout_seconds=36_000.0)
    bench.profile = replace(bench.profile, health=health)
    return bench


def test_one_that_answers_is_back(stopped: Bench) -> None:
    _given_back(_patient(stopped))
    assert why_no_answer(int(stopped.values["port"])) == ""


def test_one_that_runs_and_answers_nobody_is_not_told_as_back(stopped: Bench) -> None:
    _behaves(stopped, WAITING)
    port = stopped.values["port"]
    with pytest.raises(Failed, match=f"is back: port {port} does not answer.*waited 20 s"):
        _given_back(stopped)


def test_one_whose_page_says_nothing_is_not_told_as_back(stopped: Bench) -> None:
    with socket.create_server(("127.0.0.1", int(stopped.values["port"]))) as deaf:
        deaf.listen()
        _behaves(stopped, WAITING)
        health = replace(stopped.profile.health, timeout_seconds=0.0)
        stopped.profile = replace(stopped.profile, health=health)
        with pytest.raises(Failed, match="/version does not answer"):
            _given_back(stopped)


def test_one_that_ends_before_it_has_answered_is_told_at_once(stopped: Bench) -> None:
    """The port is somebody else's: it ends as soon as it finds that out."""
    _behaves(stopped, WAITING)
    work = _patient(stopped).work(_STOP)

    def ends() -> None:
        (pid,) = stopped.running()
        os.kill(pid, 9)

    AtPause(work, 2, ends)
    with pytest.raises(Failed, match="it ended again for"):
        service_manager.give_back(work)


def test_one_that_comes_up_slowly_is_waited_for(stopped: Bench) -> None:
    go = stopped.root / "go"
    until_then = f"while not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.01)\n"
    _behaves(stopped, f"import pathlib, time\n{until_then}{MANAGER}")
    timer = threading.Timer(0.3, go.touch)
    timer.start()
    try:
        _given_back(_patient(stopped))
    finally:
        timer.join()
    assert why_no_answer(int(stopped.values["port"])) == ""


def test_what_it_says_is_not_judged_an_old_release_is_back_too(stopped: Bench) -> None:
    _behaves(stopped, MANAGER.replace('text.split("=")[-1]', '"of old"'))
    _given_back(_patient(stopped))


def test_a_second_try_starts_what_has_ended(stopped: Bench) -> None:
    _behaves(stopped, "raise SystemExit(1)")
    with pytest.raises(Failed):
        _given_back(stopped)
    _behaves(stopped, MANAGER)
    _given_back(_patient(stopped))
