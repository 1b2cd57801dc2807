"""Releases sent ahead over the API: what is begun, refused, shown and stopped."""

from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.api.asks import PackageAsk, StageAsk
from coordinator.complaint import Complaint
from coordinator.fleet.standing import Standing
from coordinator.model import HostStanding, StagedState, StagingState
from coordinator.planning.staging import SPREAD_SECONDS, Staged, Staging
from coordinator.store.stagings import Stagings
from tests.api.real import APP, RealOffice, made_ready, make_zip
from tests.plans import numbered

ASK = StageAsk(app=APP, version="1.1")


@pytest.fixture
def ready(office: RealOffice, tmp_path: Path) -> RealOffice:
    """An office with three hosts, a signed profile and a signed package."""
    return made_ready(office, tmp_path)


def test_it_is_sent_to_all_of_the_fleet_and_nobody_has_begun(ready: RealOffice) -> None:
    ready.links.known["pc-01-abcdef"] = Standing("pc-01-abcdef", linked=True)
    with ready.client() as client:
        made = client.stage(ASK)
        assert client.staging("s1") == client.staging(made.id) == client.stagings()[0] == made
    assert (made.label, made.state, made.by) == ("s1", StagingState.UNDER_WAY, "ann")
    assert [h.host for h in made.hosts] == ["PC-01", "PC-02", "PC-03"]
    assert {h.state for h in made.hosts} == {StagedState.WAITING}
    assert [h.linked for h in made.hosts] == [True, False, False]
    assert made.opens is None
    assert (made.slots, made.rate, made.hours) == (8, 0, "")


def test_it_is_sent_to_those_who_are_named_each_once(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.stage(ASK.model_copy(update={"hosts": ["PC-02", "pc-02-abcdef"]}))
    assert [h.host for h in made.hosts] == ["PC-02"]


def test_hours_are_kept_and_each_host_begins_at_a_moment_of_its_own(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.stage(ASK.model_copy(update={"at": "22:00", "until": "06:00"}))
    assert made.hours == "22:00-06:00"
    begins = [h.next_try for h in made.hosts if h.next_try is not None]
    assert len(begins) == 3
    first = made.opens if made.opens is not None else made.made
    assert all(first <= at <= first + SPREAD_SECONDS for at in begins)


def test_a_beginning_without_an_end_is_a_moment(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.stage(ASK.model_copy(update={"at": "22:00"}))
    assert made.hours == ""
    assert made.opens is not None
    assert made.made < made.opens <= made.made + 86_400


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"until": "06:00"}, "from when"),
        ({"at": "22:00", "until": "22:00"}, "when it begins"),
        ({"rate": 799}, "799 bytes a second for 8 at a time would never end"),
        ({"version": "9.9"}, "no package"),
        ({"app": "nothing"}, "no profile"),
        ({"hosts": ["PC-77"]}, "PC-77"),
        ({"group": "elsewhere"}, "no workstation"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    ready: RealOffice, change: dict[str, object], why: str
) -> None:
    with ready.client() as client, pytest.raises(Complaint, match=why):
        client.stage(ASK.model_copy(update=change))
    with ready.client() as client:
        assert client.stagings() == []


def test_what_is_not_signed_is_sent_nowhere(ready: RealOffice, tmp_path: Path) -> None:
    with ready.client() as client:
        other = make_zip(tmp_path / "s.zip", version=b"app=1.2\n")
        client.add_package(PackageAsk(app=APP, version="1.2"), other)
        with pytest.raises(Complaint, match="is signed yet"):
            client.stage(StageAsk(app=APP, version="1.2"))


def test_a_revoked_host_gets_nothing(ready: RealOffice) -> None:
    ready.fleet.set_standing("pc-01-abcdef", HostStanding.REVOKED)
    with ready.client() as client:
        assert [h.host for h in client.stage(ASK).hosts] == ["PC-02", "PC-03"]


def test_of_many_workstations_no_more_is_told_than_a_client_reads(ready: RealOffice) -> None:
    stagings, many = Stagings(ready.database), [f"pc-{n:04}" for n in range(1000)]
    for number in range(1, 7):
        made = Staging(numbered(number), 0, APP, "1.1", "ann", 10.0, 10.0, "", 0, 8)
        told = Staged(made.id, "", StagedState.WAITING, 9, 10.0, 10.0, detail="x" * 500)
        stagings.add(made, [replace(told, host=host) for host in many])
    with ready.client() as client:
        assert [view.label for view in client.stagings()] == ["s6", "s5", "s4"]
        assert len(client.staging("s1").hosts) == 1000
        assert client.stagings()[0].state is StagingState.UNDER_WAY


def test_a_later_one_replaces_it_and_it_is_stopped_once(ready: RealOffice) -> None:
    with ready.client() as client:
        client.stage(ASK)
        client.stage(ASK)
        assert client.staging("s1").state is StagingState.REPLACED
        assert client.stop_staging("s2").state is StagingState.STOPPED
        with pytest.raises(Complaint, match="s2 is over: stopped"):
            client.stop_staging("s2")
        with pytest.raises(Complaint, match="no staging 's3'"):
            client.staging("s3")
