"""`roundsman release stage` and `staged` at a terminal."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.cli.staging import bytes_of
from coordinator.complaint import Complaint
from coordinator.model import StagedState, StagingState
from coordinator.store.stagings import Stagings
from tests.api.real import APP, RealOffice, made_ready
from tests.cli.terminal import Terminal


@pytest.fixture
def ready(office: RealOffice, tmp_path: Path) -> RealOffice:
    """An office with three hosts, a signed profile and a signed package."""
    return made_ready(office, tmp_path)


def _come(office: RealOffice, host: str, state: StagedState, **more: object) -> None:
    stagings = Stagings(office.database)
    row = next(r for r in stagings.hosts(stagings.latest()[0].id) if r.host.startswith(host))
    stagings.put(replace(row, state=state, **more))  # type: ignore[arg-type]


def test_it_is_begun_and_shown(ready: RealOffice, terminal: Terminal) -> None:
    said = terminal(f"release stage {APP} 1.1 --at 22:00 --until 06:00 --rate 20M --slots 4")
    assert (said.code, said.err) == (0, "")
    assert "s1: office-maker 1.1, under way" in said.out
    assert "(4 at a time, 20 MB/s together, daily 22:00-06:00)" in said.out
    assert said.out.count("waiting, off") == 3
    assert terminal("release staged").out.splitlines()[2].split()[:5] == [
        "s1", "office-maker", "1.1", "under", "way",
    ]  # fmt: skip


def test_progress_is_shown_for_each_host_and_in_all(ready: RealOffice, terminal: Terminal) -> None:
    terminal(f"release stage {APP} 1.1")
    mb = 1_000_000
    _come(ready, "pc-01", StagedState.READY, bytes_done=200 * mb, bytes_total=200 * mb)
    _come(ready, "pc-02", StagedState.FETCHING, bytes_done=50 * mb, bytes_total=200 * mb)
    said = terminal("release staged s1")
    assert said.code == 0
    assert "50 MB of 200 MB" in said.out
    assert "250 MB of 400 MB" in terminal("release staged").out
    found = terminal("release staged s1 --json").json
    assert (found["bytes_done"], found["bytes_total"]) == (250 * mb, 400 * mb)


def test_a_host_that_cannot_have_it_needs_a_person(ready: RealOffice, terminal: Terminal) -> None:
    terminal(f"release stage {APP} 1.1")
    _come(ready, "pc-01", StagedState.REFUSED, detail="the app is not installed there")
    said = terminal("release staged s1")
    assert said.code == 1
    assert "the app is not installed there" in said.out
    assert terminal("release staged").code == 1


def test_waiting_for_it_ends_when_nobody_is_on(ready: RealOffice, terminal: Terminal) -> None:
    said = terminal(f"release stage {APP} 1.1 --wait")
    assert said.code == 0
    assert said.out.count("waiting, off") == 3


def test_waiting_for_it_ends_with_the_staging_itself(
    ready: RealOffice, terminal: Terminal
) -> None:
    """The coordinator ends it a moment after its last host."""
    terminal(f"release stage {APP} 1.1")
    for host in ("pc-01", "pc-02", "pc-03"):
        _come(ready, host, StagedState.READY)
    stagings = Stagings(ready.database)
    ended = threading.Timer(
        0.2, stagings.end, (stagings.latest()[0].id, StagingState.DONE, ready.clock())
    )
    ended.start()
    said = terminal("release staged s1 --wait")
    ended.join()
    assert said.code == 0
    assert "s1: office-maker 1.1, done" in said.out


def test_it_is_stopped(ready: RealOffice, terminal: Terminal) -> None:
    terminal(f"release stage {APP} 1.1")
    assert "s1: office-maker 1.1, stopped" in terminal("release staged --stop").out
    assert Stagings(ready.database).latest()[0].state is StagingState.STOPPED
    said = terminal("release staged --stop")
    assert said.code == 2
    assert "which staging: none is under way?" in said.err


@pytest.mark.usefixtures("office")
def test_nothing_sent_yet_says_how(terminal: Terminal) -> None:
    assert "roundsman release stage APP VERSION" in terminal("release staged").out


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("500k", 500_000), ("20M", 20_000_000), ("1G", 10**9), ("7", 7)]
)
def test_a_rate_is_written_as_people_do(text: str, count: int) -> None:
    assert bytes_of(text) == count


@pytest.mark.parametrize("text", ["20 MB", "0", "-1", "M", "1.5M", "20m", "9999999M"])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Complaint, match="write it as 500k, 20M or 1G"):
        bytes_of(text)
