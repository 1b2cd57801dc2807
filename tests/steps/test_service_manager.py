import getpass
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Process, ServiceControl, Session
from agent.steps import service_manager
from agent.steps.check_health import check_health
from agent.steps.rows import STEPS
from agent.steps.service_unit import let_be
from agent.steps.stage import stage, unstage
from agent.steps.table import Failed, Refused
from agent.wire.contract import Refusal, StepName
from agent.wire.profile import ServiceManagerKind
from tests.steps.bench import (
    STUBBORN,
    WAITING,
    AtPause,
    Bench,
    FastLinux,
    SmallMemo,
    SmallWork,
    release,
    script,
    write_tree,
)
from tests.until import until

_STOP, _START = StepName.STOP_SERVICE_MANAGER, StepName.START_SERVICE_MANAGER


@pytest.fixture
def quiet(bench: Bench) -> Bench:
    """A bench whose service manager does nothing but run."""
    (bench.app / "bin/manager").write_bytes(script(WAITING))
    bench.log_in(Session("1", getpass.getuser(), active=True))
    return _answering_nobody(bench)


def _answering_nobody(bench: Bench) -> Bench:
    health = replace(bench.profile.health, port="", http="", http_pattern="")
    bench.profile = replace(bench.profile, health=health)
    return bench


def _stop(bench: Bench) -> SmallWork:
    work = bench.work(_STOP)
    service_manager.stop(work)
    return work


def _start(bench: Bench) -> SmallWork:
    work = bench.work(_START)
    service_manager.start(work)
    return work


def test_it_is_stopped_and_proven_gone(quiet: Bench) -> None:
    child = quiet.open_app("bin/manager")
    app = quiet.open_app("bin/app")

    _stop(quiet)

    assert child.wait() == -15
    assert list(quiet.running()) == [app.pid]


def test_one_that_does_not_go_is_refused_by_name(quiet: Bench) -> None:
    ready = quiet.root / "ready"
    code = STUBBORN.replace("signal.pause()", f"open({str(ready)!r}, 'w').close()\nsignal.pause()")
    (quiet.app / "bin/manager").write_bytes(script(code))
    child = quiet.open_app("bin/manager")
    until(ready.exists)

    with pytest.raises(Refused) as refused:
        _stop(quiet)

    assert refused.value.refusal is Refusal.SERVICE_MANAGER_STILL_RUNNING
    assert f"pid {child.pid}" in str(refused.value)


def test_it_is_started_in_the_apps_folder_for_whom_it_ran_and_spared(quiet: Bench) -> None:
    child = quiet.open_app("bin/manager")
    user = quiet.running()[child.pid].user
    _stop(quiet)

    work = _start(quiet)

    (process,) = quiet.running().values()
    assert process.user == user
    assert process.cwd == str(quiet.app)
    assert process.argv[-1] == quiet.values["port"]
    assert process.pid in {spared.pid for spared in quiet.guard.spared}
    assert str(process.pid) in work.facts["service_manager"]


def test_its_arguments_may_name_the_apps_folder(quiet: Bench) -> None:
    start = (*quiet.profile.service_manager.start, "--at={folder}")
    manager = replace(quiet.profile.service_manager, start=start)
    quiet.profile = replace(quiet.profile, service_manager=manager)

    _start(quiet)

    (process,) = quiet.running().values()
    assert process.argv[-1] == f"--at={quiet.app}"


def test_starting_what_runs_starts_no_second_one(quiet: Bench) -> None:
    quiet.open_app("bin/manager")
    _stop(quiet)
    _start(quiet)
    before = set(quiet.running())

    _start(quiet)

    assert set(quiet.running()) == before


def test_one_that_was_not_running_is_still_started_for_the_health_check(quiet: Bench) -> None:
    _stop(quiet)

    _start(quiet)

    assert len(quiet.running()) == 1


def test_undo_of_the_start_closes_it_again_and_spares_nothing(quiet: Bench) -> None:
    _stop(quiet)
    _start(quiet)

    service_manager.stop_again(quiet.work(_START))
    service_manager.stop_again(quiet.work(_START))

    assert quiet.running() == {}
    assert quiet.guard.spared == []


@pytest.mark.parametrize("direction", ["undo", "tidy"])
def test_what_ran_before_is_given_back_running(quiet: Bench, direction: str) -> None:
    quiet.open_app("bin/manager")
    _stop(quiet)
    row = STEPS[_STOP]
    handler = row.undo if direction == "undo" else row.tidy
    assert handler is not None

    handler(quiet.work(_STOP))
    handler(quiet.work(_STOP))

    assert len(quiet.running()) == 1


def test_what_did_not_run_before_is_left_so(quiet: Bench) -> None:
    _stop(quiet)
    work = quiet.work(_STOP)

    service_manager.give_back(work)

    assert quiet.running() == {}
    assert "was not running before" in work.facts["service_manager"]


def test_stopping_again_after_a_crash_does_not_forget_what_ran_at_first(quiet: Bench) -> None:
    quiet.open_app("bin/manager")
    _stop(quiet)

    _stop(quiet)
    service_manager.give_back(quiet.work(_STOP))

    assert len(quiet.running()) == 1


def _names(bench: Bench) -> list[str]:
    return sorted(Path(process.argv[2]).name for process in bench.running().values())


def test_a_helper_of_the_service_manager_is_not_started_a_second_time(quiet: Bench) -> None:
    code = f"import subprocess\nsubprocess.Popen([{str(quiet.app / 'bin/helper')!r}])\n{WAITING}"
    quiet.profile = replace(
        quiet.profile,
        service_manager=replace(
            quiet.profile.service_manager, programs=("bin/manager", "bin/helper")
        ),
    )
    for name, text in (("helper", WAITING), ("manager", code)):
        (quiet.app / "bin" / name).write_bytes(script(text))
        (quiet.app / "bin" / name).chmod(0o755)
    quiet.open_app("bin/manager")
    until(lambda: _names(quiet) == ["helper", "manager"])
    _stop(quiet)

    _start(quiet)
    until(lambda: _names(quiet) == ["helper", "manager"])


def test_one_that_ends_at_once_is_not_called_back(quiet: Bench) -> None:
    (quiet.app / "bin/manager").write_bytes(b"#!/bin/false\n")

    with pytest.raises(Failed, match="cannot start the service manager of Bench App: no process"):
        _start(quiet)


def test_a_program_that_cannot_be_run_is_said_in_words(quiet: Bench) -> None:
    (quiet.app / "bin/manager").unlink()

    with pytest.raises(Failed, match=r"cannot start .*bin/manager.*; ask the vendor"):
        STEPS[_START].do(quiet.work(_START))


def test_a_value_the_host_does_not_give_is_said_in_words(quiet: Bench) -> None:
    quiet.values = {}

    with pytest.raises(Failed, match=r"agent\.toml gives no value for port"):
        _start(quiet)


def test_an_agent_that_died_spares_what_it_had_started(quiet: Bench) -> None:
    _start(quiet)
    quiet.guard.spared.clear()

    service_manager.spare_started(quiet.work(StepName.CHECK_HEALTH))

    assert {process.pid for process in quiet.guard.spared} == set(quiet.running())


def test_a_profile_without_a_service_manager_has_nothing_to_do(bench: Bench) -> None:
    manager = replace(
        bench.profile.service_manager, kind=ServiceManagerKind.NONE, programs=(), start=()
    )
    bench.profile = replace(bench.profile, service_manager=manager)

    _stop(bench)
    _start(bench)
    service_manager.give_back(bench.work(_STOP))

    assert bench.running() == {}


class _Services:
    """One service, as the system would run it: a real process."""

    def __init__(self, program: Path, platform: FastLinux) -> None:
        self._program = program
        self._platform = platform
        self._child: subprocess.Popen[bytes] | None = None
        self.prepared: list[str] = []
        self.freed: list[str] = []
        self.left: list[str] = []
        self.argv = ["sleep", "60"]

    def main_process(self, unit: str) -> Process | None:
        assert unit == "app.service"
        child = self._child
        if child is None or child.poll() is not None:
            return None
        return next((p for p in self._platform.processes() if p.pid == child.pid), None)

    def stop(self, unit: str) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def start(self, unit: str) -> None:
        if not self.main_process(unit):
            self._child = subprocess.Popen(self.argv)

    def prepare(self, unit: str) -> None:
        self.prepared.append(unit)

    def free(self, unit: str) -> None:
        self.freed.append(unit)

    def leave(self, unit: str) -> None:
        self.left.append(unit)


@pytest.fixture
def served(bench: Bench) -> Iterator[Bench]:
    """A bench whose service manager is a service of the system."""
    platform = FastLinux()
    services: ServiceControl = _Services(bench.app / "bin/manager", platform)
    platform.services = services
    bench.platform = platform
    manager = replace(
        bench.profile.service_manager,
        kind=ServiceManagerKind.SYSTEMD,
        unit="app.service",
        programs=(),
        start=(),
    )
    bench.profile = replace(bench.profile, service_manager=manager)
    yield _answering_nobody(bench)
    services.stop("app.service")


def test_a_service_is_stopped_started_stopped_again_and_given_back(served: Bench) -> None:
    services = served.work().platform.services
    services.start("app.service")

    _stop(served)
    assert not services.main_process("app.service")
    _start(served)
    assert services.main_process("app.service")
    assert len(served.guard.spared) == 1
    service_manager.stop_again(served.work(_START))
    assert not services.main_process("app.service")
    service_manager.give_back(served.work(_STOP))
    assert services.main_process("app.service")
    assert isinstance(services, _Services)
    assert services.left == []
    let_be(served.work(StepName.DRAIN))
    assert services.left == ["app.service"]


def test_what_takes_long_in_a_stop_is_done_with_staging_and_undone_with_it(served: Bench) -> None:
    services = served.work().platform.services
    assert isinstance(services, _Services)

    stage(served.work(StepName.STAGE))
    assert services.prepared == ["app.service"]
    unstage(served.work(StepName.STAGE))
    assert services.left == ["app.service"]


def test_a_service_is_spared_as_the_program_it_turns_into(served: Bench) -> None:
    manager = replace(served.profile.service_manager, programs=("bin/manager",))
    served.profile = replace(served.profile, service_manager=manager)
    served.app.joinpath("bin/manager").write_bytes(script(WAITING))
    services = served.work().platform.services
    assert isinstance(services, _Services)
    go = served.root / "go"
    services.argv = ["sh", "-c", f"until [ -e {go} ]; do :; done; exec {served.app}/bin/manager"]
    work = served.work(_START)
    AtPause(work, 1, go.touch)

    service_manager.start(work)

    (spared,) = served.guard.spared
    assert f"{served.app}/bin/manager" in spared.argv


def test_a_service_that_was_stopped_is_left_stopped_but_not_barred(served: Bench) -> None:
    services = served.work().platform.services
    assert isinstance(services, _Services)
    _stop(served)

    service_manager.give_back(served.work(_STOP))

    assert not services.main_process("app.service")
    assert services.freed == ["app.service"]


def test_a_service_that_ends_before_it_answers_is_not_given_back(served: Bench) -> None:
    services = served.work().platform.services
    assert isinstance(services, _Services)
    services.start("app.service")
    _stop(served)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    health = replace(served.profile.health, port=port, timeout_seconds=36_000.0)
    served.profile = replace(served.profile, health=health)
    services.argv = ["sleep", "0.5"]

    with pytest.raises(Failed, match="it ended again"):
        service_manager.give_back(served.work(_STOP))


def test_a_service_that_ends_right_after_its_start_is_found_out(served: Bench) -> None:
    health = replace(served.profile.health, port="", http="", http_pattern="", soak_seconds=0.0)
    served.profile = replace(served.profile, health=health)
    write_tree(served.app, release("1.1"))
    _start(served)
    work = served.work(StepName.CHECK_HEALTH)
    AtPause(work, 1, lambda: work.platform.services.stop("app.service"))

    with pytest.raises(Failed, match="did not stay up"):
        check_health(work)


def test_what_an_earlier_rollout_never_gave_back_is_given_back_by_the_next(quiet: Bench) -> None:
    quiet.open_app("bin/manager")
    _stop(quiet)  # and that rollout is left closed
    quiet.memos = {step: SmallMemo() for step in StepName}
    _stop(quiet)
    _start(quiet)
    service_manager.stop_again(quiet.work(_START))
    assert list(quiet.running()) == []

    service_manager.give_back(quiet.work(_STOP))
    assert len(list(quiet.running())) == 1


def test_what_was_given_back_and_then_quit_by_its_user_is_left_off(quiet: Bench) -> None:
    quiet.open_app("bin/manager")
    _stop(quiet)
    service_manager.give_back(quiet.work(_STOP))
    quiet.memos = {step: SmallMemo() for step in StepName}
    service_manager.stop_again(quiet.work(_START))  # as a user would

    _stop(quiet)
    service_manager.give_back(quiet.work(_STOP))
    assert list(quiet.running()) == []
