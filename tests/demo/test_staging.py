"""A release sent ahead to real agents, through kills of both sides; who is off catches up."""

from pathlib import Path

import pytest

from coordinator.api.asks import StageAsk
from coordinator.api.client import Client
from coordinator.api.staging_schemas import StagingView
from coordinator.cli.demo_office import APP, OLD
from coordinator.cli.demo_workstation import Workstation
from coordinator.complaint import Complaint
from coordinator.model import StagedState, StagingState
from coordinator.standin.inspector import judge_disk, note_host
from coordinator.walk.states import RolloutState
from tests.faults.office import FaultOffice, office
from tests.until import until

ASK = StageAsk(app=APP, version="1.1")
_CRAWL = 4000  # bytes a second: nobody comes to an end meanwhile


def _seen(client: Client) -> StagingView | None:
    """Return how the last staging stands, None while the coordinator does not answer."""
    try:
        return client.stagings()[0]
    except Complaint:
        return None


def _states(client: Client) -> list[str]:
    seen = _seen(client)
    return [host.state.value for host in seen.hosts] if seen else []


def _tries(client: Client) -> list[int]:
    seen = _seen(client)
    return [host.tries for host in seen.hosts] if seen else []


def _come(client: Client) -> int:
    seen = _seen(client)
    return seen.bytes_done if seen else 0


def _ready_of(host: Workstation) -> list[Path]:
    """Return what lies ready on a workstation, on the volume of the app."""
    return [path for path in host.state.parent.rglob("ready/*") if path.is_dir()]


@pytest.mark.timeout(300)
def test_a_release_is_fetched_ahead_through_kills_of_both_sides_and_a_rollout_takes_it_over(
    tmp_path: Path,
) -> None:
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1")
        made.open_apps()
        noted = [note_host(host.folder) for host in made.hosts]
        with made.client() as client:
            client.stage(ASK.model_copy(update={"rate": _CRAWL}))
            until(lambda: _come(client) > 0, 60, "bytes come")
            made.kill_coordinator()
            made.start_coordinator()
            until(lambda: _tries(client) == [1, 1], 60, "the coordinator joins what is fetched")
            assert "ready" not in _states(client)
            made.kill_agent(made.hosts[0])
            made.start_agent(made.hosts[0])
            come = _come(client)
            until(lambda: _come(client) > come, 60, "bytes come again")
            assert _tries(client) == [1, 1]
            client.stage(ASK)
            until(lambda: _states(client) == ["ready", "ready"], 120, "both are ready")
        for host, before in zip(made.hosts, noted, strict=True):
            assert _judged(made, host, before) == []
            assert len(_ready_of(host)) == 1
        _taken_over(made)


def _judged(made: FaultOffice, host: Workstation, before: dict[str, object]) -> list[object]:
    about = {"name": host.name, "folder": str(host.folder), "expected": OLD}
    return list(judge_disk(about, before, made.release(OLD)))


def _taken_over(made: FaultOffice) -> None:
    """Update with what lies ready, the packages gone from the coordinator meanwhile."""
    packages = made.base / "coordinator" / "packages"
    packages.rename(packages.with_name("packages-away"))
    packages.mkdir()
    rollout = made.start_rollout("1.1")
    with made.client() as client:
        until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
        assert client.rollout(rollout).state is RolloutState.DONE
    for host in made.hosts:
        assert _ready_of(host) == []
    until(lambda: not any(map(_fetched_on, made.hosts)), what="what was fetched is deleted")


def _fetched_on(host: Workstation) -> list[Path]:
    return list((host.state / "downloads").iterdir())


@pytest.mark.timeout(300)
def test_a_host_that_was_off_fetches_when_it_returns_and_a_stop_is_heard(tmp_path: Path) -> None:
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1", "1.2")
        away = made.hosts[1]
        made.kill_agent(away)
        with made.client() as client:
            client.stage(ASK)
            until(lambda: "ready" in _states(client), 60, "one is ready")
            made.start_agent(away)
            until(lambda: _states(client) == ["ready", "ready"], 60, "both are ready")
            until(lambda: client.stagings()[0].state is StagingState.DONE)
            slow = client.stage(StageAsk(app=APP, version="1.2", rate=2000))
            until(lambda: _come(client) > 0, 60, "bytes come")
            client.stop_staging(slow.label)
            until(lambda: set(_states(client)) == {"waiting"}, 60, "both have stopped")
            assert client.staging(slow.label).state is StagingState.STOPPED
            assert all(h.state is StagedState.WAITING for h in client.staging(slow.label).hosts)
