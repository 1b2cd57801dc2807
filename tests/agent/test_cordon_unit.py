"""A service that restarts for ever is stopped as a service; systemctl is a stand-in."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cordon import Cordon
from agent.cordon_record import CordonTools
from agent.cordon_unit import Units, given_back
from agent.journal import Journal
from agent.platforms.base import Process
from agent.platforms.linux import Linux
from agent.records import StepRecord
from agent.wire.contract import StepReport, StepState
from agent.wire.profile import Profile, ServiceManager, ServiceManagerKind
from tests.agent.fakes import (
    FakePackages,
    FakePeople,
    FakePlatform,
    FakeServices,
    Orders,
    config_of,
    profile_of,
)
from tests.agent.test_cordon import CODE, LEASED, SEALED, WITH_CODE, Host
from tests.agent.test_platform_contract import UNIT, install_systemctl
from tests.until import until


def with_unit() -> Profile:
    manager = ServiceManager(ServiceManagerKind.SYSTEMD, ("bin/manager",), (), UNIT, None)
    return replace(profile_of(), service_manager=manager)


def systemctl(*words: str) -> None:
    subprocess.run(["systemctl", *words], check=True)


@contextmanager
def _keeper() -> Iterator[None]:
    """Start the unit again whenever it has ended, as systemd does with Restart=always."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(0.05):
            systemctl("start", UNIT)

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Linux]:
    folder = tmp_path / "systemd"
    folder.mkdir()
    platform = Linux(install_systemctl(folder))
    manager = tmp_path / "app" / "bin" / "manager"
    manager.parent.mkdir(parents=True)
    manager.write_bytes(Path("/bin/sleep").read_bytes())
    manager.chmod(0o755)
    unit = {"argv": [str(manager), "60"], "pid": 0}
    (folder / f"{UNIT}.json").write_text(json.dumps(unit))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield platform
    platform.services.stop(UNIT)


def test_a_service_that_is_always_restarted_is_stopped_for_good(
    tmp_path: Path, linux: Linux
) -> None:
    config, packages = config_of(tmp_path), FakePackages(with_unit())
    tools = CordonTools(linux, config, packages.profile, FakePeople())
    with (
        closing(Journal.open(config.state / "j")) as journal,
        closing(Cordon(journal, tools)) as cordon,
    ):
        cordon.start()
        cordon.apply(SEALED)
        with _keeper():
            drop_in = tmp_path / "systemd" / "units" / f"{UNIT}.d"
            until(drop_in.exists, what="the service is stopped")
            until(lambda: not linux.services.main_process(UNIT))
        systemctl("start", UNIT)
        assert not linux.services.main_process(UNIT)
        with cordon.expecting():
            linux.services.start(UNIT)  # given back: it may run as before
            assert linux.services.main_process(UNIT)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.packages.the_profile = with_unit()
    return made


class SlowServices(FakeServices):
    """Services whose stop takes until `go` is set, and may then not be possible."""

    def __init__(self, platform: FakePlatform) -> None:
        super().__init__(platform)
        self.asked: list[str] = []
        self.go = threading.Event()
        self.why: OSError | None = None

    def stop(self, unit: str) -> None:
        self.asked.append(unit)
        assert self.go.wait(20)
        if self.why:
            raise self.why


def test_the_guard_does_not_wait_for_systemctl(host: Host) -> None:
    host.platform.services = slow = SlowServices(host.platform)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        for _ in range(3):
            manager = host.platform.open(host.manager)
            app = host.platform.open(host.app)
            until(lambda: host.platform.table == {}, what=f"{manager.pid}, {app.pid} closed")
            assert cordon.look().guarded
        assert slow.asked == [UNIT]
        slow.go.set()


def alive(host: Host, process: Process) -> bool:
    return host.platform.is_alive(process)


def test_a_service_that_cannot_be_stopped_is_closed_all_the_same(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.platform.services = slow = SlowServices(host.platform)
    slow.why = OSError("cannot systemctl stop: access denied")
    slow.go.set()
    with host.agent() as cordon:
        cordon.apply(SEALED)
        manager = host.platform.open(host.manager)
        until(lambda: not alive(host, manager))
    assert "cannot stop a service" in [record.getMessage() for record in caplog.records]


def test_a_lease_leaves_the_service_to_the_step_that_stops_it(host: Host) -> None:
    with host.agent() as cordon:
        restarted = host.platform.open(host.manager)
        sight = cordon.apply(LEASED)
        assert [seen.pid for seen in sight.open] == [restarted.pid]
        assert alive(host, restarted)
        cordon.apply(SEALED)
        assert not alive(host, restarted)


def test_the_app_itself_has_no_service_stopped(host: Host) -> None:
    host.platform.services = slow = SlowServices(host.platform)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        app = host.platform.open(host.app)
        until(lambda: not alive(host, app))
    assert slow.asked == []


def test_a_step_that_starts_the_service_waits_for_the_stop_and_bars_the_next() -> None:
    slow = SlowServices(FakePlatform())
    units = Units(slow)
    units.stop(UNIT)
    until(lambda: slow.asked == [UNIT])
    inside, over = threading.Event(), threading.Event()

    def step() -> None:
        with units.barred():
            units.stop(UNIT)
            inside.set()
            assert over.wait(20)

    starting = threading.Thread(target=step)
    starting.start()
    assert not inside.is_set()
    slow.go.set()
    assert inside.wait(20)
    over.set()
    starting.join()
    assert slow.asked == [UNIT]


def test_a_unit_is_stopped_once_in_a_while_only() -> None:
    slow = SlowServices(FakePlatform())
    slow.go.set()
    units = Units(slow)
    for _ in range(100):
        units.stop(UNIT)
        units.close(10)
    assert slow.asked == [UNIT]


def running_step(state: StepState) -> StepRecord:
    order = Orders().start()
    report = StepReport(order.step_id, order.direction, state, order.attempt)
    return StepRecord(report, order.params, began=1, started=1.0)


@pytest.mark.parametrize("by", ["code", "administrator", "command line"])
def test_the_service_of_what_was_opened_here_runs_again(host: Host, by: str) -> None:
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)
        with host.agent(guard=False) as from_the_command_line:
            if by == "code":
                cordon.open_by_code(CODE)
            else:
                opener = cordon if by == "administrator" else from_the_command_line
                assert opener.open_by_administrator()
        until(lambda: host.platform.services.main_process(UNIT))
        host.platform.services.stop(UNIT)  # by somebody: it was given back once
        cordon.look()
    assert not host.platform.services.main_process(UNIT)


def test_it_is_started_once_no_step_is_under_way(host: Host) -> None:
    with closing(Journal.open(host.config.state / "j")) as journal, host.agent() as cordon:
        journal.put_step(running_step(StepState.RUNNING))
        cordon.apply(WITH_CODE)
        cordon.open_by_code(CODE)
        cordon.look()
        assert not host.platform.services.main_process(UNIT)
        said = given_back(journal, host.platform.services, agent_runs=True)
        assert "bench.service is started by the agent once the step" in said
        journal.put_step(running_step(StepState.FAILED))
        cordon.look()
        until(lambda: host.platform.services.main_process(UNIT))


def test_without_an_agent_it_is_started_at_once_and_told(host: Host) -> None:
    services = host.platform.services
    with closing(Journal.open(host.config.state / "j")) as journal:
        with host.agent(guard=False) as cordon:
            cordon.apply(SEALED)
            assert given_back(journal, services, agent_runs=False) == ""
            cordon.open_by_administrator()
        assert "started by the agent" in given_back(journal, services, agent_runs=True)
        assert (
            given_back(journal, services, agent_runs=False) == f"Its service {UNIT} was started."
        )
        assert services.main_process(UNIT)
        assert given_back(journal, services, agent_runs=False) == ""


class NoServices(FakeServices):
    """Services none of which can be started."""

    def start(self, unit: str) -> None:
        raise OSError("cannot ask systemd: this host has no systemctl")


def test_a_service_that_cannot_be_started_is_named(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.platform.services = NoServices(host.platform)
    with closing(Journal.open(host.config.state / "j")) as journal:
        with host.agent() as cordon:
            cordon.apply(SEALED)
            cordon.open_by_administrator()
            cordon.look()
        said = given_back(journal, host.platform.services, agent_runs=False)
    assert said.startswith(f"Its service {UNIT} does not run: cannot ask systemd")
    assert "cannot start a service" in [record.getMessage() for record in caplog.records]
