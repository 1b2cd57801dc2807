"""A bad network: one way lost, late and lossy wires, another address, a slow wire, a fetch cut."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.wire.contract import LEASE_SECONDS
from coordinator.settings import HTTPS_PORT
from coordinator.standin.make_release import Size
from tests.lan.app import CLIENTS
from tests.lan.box import Box, Host
from tests.lan.cables import (
    Moment,
    agent_facts,
    end_well,
    facts,
    held_at,
    is_waiting,
    pull,
    sent_again,
    visits_begun,
    wait_lost,
)
from tests.lan.commands import do, nft
from tests.lan.faults import Row
from tests.lan.network import Way
from tests.lan.office import LanOffice, Terms
from tests.lan.power import assert_sealed
from tests.lan.settings import NET, SWITCH, namespace
from tests.until import until

_THOROUGH = pytest.mark.thorough
pytestmark = pytest.mark.timeout(400)
_AREA = "A bad network"
_UPDATED, _GUARDED, _ALL = "the host being updated", "a guarded one", "every host"
_LATE_MS, _LOSS_PERCENT = 50, 10
_BULKY = Terms(size=Size(libraries=20, half_a_library=50_000, table=20_000))
_OUTAGE_SECONDS = LEASE_SECONDS + 15
_SOME = 0.3
"""How much of a package has come when the cable is pulled."""
Tell = Callable[[Row], None]


@_THOROUGH
def test_what_is_lost_one_way_only_is_borne_like_a_cut(tmp_path: Path, told: Tell) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        for moment, way in (
            (Moment("h1", "back-up"), Way.OUT),
            (Moment("h2", "apply-release"), Way.IN),
        ):
            guarded = "h3" if moment.host == "h1" else "h1"
            lose_one_way(office, moment, guarded, way)
            lost = "what it sends" if way is Way.OUT else "what it is sent"
            for at in (_UPDATED, _GUARDED):
                told(Row(_AREA, f"{lost} is lost", at, str(moment), "done, no step twice", 0))
        end_well(office)


def lose_one_way(office: LanOffice, moment: Moment, guarded: str, way: Way) -> None:
    """Lose one way what two hosts say until the coordinator has lost both; no other is touched."""
    network, both = office.box.network, (moment.host, guarded)
    before = {name: len(facts(office, "host lost", name)) for name in both}
    with held_at(office, moment):
        for name in both:
            network.one_way(name, way)
        begun = visits_begun(office)
    for name in both:
        wait_lost(office, name, before[name])
        assert network.lost(name, way)
    assert visits_begun(office) == begun
    for name in both:
        network.heal(name)


@_THOROUGH
def test_late_and_lossy_wires_all_along_only_cost_time(tmp_path: Path, told: Tell) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        before = {name: sent_again(host) for name, host in box.hosts.items()}
        for name in box.hosts:
            box.network.lossy(name, _LATE_MS, _LOSS_PERCENT)
        office.start()
        assert office.end(office.rollout, 240) == "done", office.told(office.rollout)
        for name, host in box.hosts.items():
            assert sent_again(host) > before[name]
            box.network.heal(name)
        end_well(office)
        fault = f"{_LOSS_PERCENT} % of the frames lost, {_LATE_MS} ms, each way"
        told(Row(_AREA, fault, _ALL, "all along", "done, no step twice", 0))


@_THOROUGH
def test_a_network_that_is_out_for_longer_than_a_lease_in_a_visit_opens_nothing_and_costs_time(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        moment = Moment("h2", "apply-release")
        with held_at(office, moment):
            losses = [pull(office, name) for name in box.hosts]
            begun, cut_at = visits_begun(office), time.time()
        until(lambda: time.time() > cut_at + _OUTAGE_SECONDS, _OUTAGE_SECONDS + 5, "it is out")
        assert all(loss.count() for loss in losses)
        assert_waits_closed(office)
        assert visits_begun(office) == begun
        for name in box.hosts:
            box.network.put_back(name)
        end_well(office)
        fault = f"the whole network is out for {_OUTAGE_SECONDS / 60:g} minutes"
        outcome = "the step is unknown, then asked again by its id; sealed all along; done"
        told(Row(_AREA, fault, _ALL, str(moment), outcome, 0))


def assert_waits_closed(office: LanOffice) -> None:
    """The rollout says what is not known and what to do; who opens the app has it closed."""
    assert is_waiting(office), office.told(office.rollout)
    why = office.cli("rollout", "why", office.rollout)
    assert "h2: what apply-release did is not known" in why["reason"], why
    assert "switch h2 on" in why["mend"], why
    for station in office.stations.values():
        station.host.run("systemctl", "start", CLIENTS[0], check=False)
        assert_sealed(station)


@_THOROUGH
def test_hosts_that_change_their_address_are_known_by_their_certificate(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        moment, new = Moment("h1", "back-up"), {"h1": f"{NET}.0.201", "h3": f"{NET}.0.203"}
        with held_at(office, moment):
            for name, address in new.items():
                box.network.readdress(name, address)
        end_well(office)
        for name, address in new.items():
            assert facts(office, "host linked", name)[-1]["address"] == address
        for at in (_UPDATED, _GUARDED):
            outcome = "its agent dials anew and is known; done, no step twice"
            told(Row(_AREA, "it gets another address", at, str(moment), outcome, 0))


@_THOROUGH
def test_a_fetch_over_a_slow_wire_that_is_cut_goes_on_at_the_byte(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path, terms=_BULKY) as office:
        for name in ("h1", "h2"):
            box.network.rate(name, 1)
        count_fetched(box.hosts["h1"])
        office.start()
        until(lambda: have_of(office, "h1") > _SOME * size_of(office), 60, "some of it has come")
        losses = pull(office, "h1")
        until(lambda: agent_facts(office, "download cut", "h1"), 60, "the agent finds it cut")
        assert losses.count()
        kept = int(agent_facts(office, "download cut", "h1")[0]["have"])
        assert _SOME * size_of(office) < kept < size_of(office)
        box.network.put_back("h1")
        end_well(office)
        assert fetched(box.hosts["h1"]) < size_of(office) * (1 + _SOME)
        assert [held_back(host) > 0 for host in box.hosts.values()] == [True, True, False]
        goes_on = "goes on at the byte; nothing is fetched twice; done"
        told(
            Row(_AREA, "the cable is out", _UPDATED, "during the fetch of the package", goes_on, 0)
        )
        told(Row(_AREA, "a wire of 1 Mbit/s", _UPDATED, "during stage", "done, no step twice", 0))


def size_of(office: LanOffice) -> int:
    """Return how many bytes the package has."""
    return (office.folder / "releases" / "1.1.zip").stat().st_size


def have_of(office: LanOffice, name: str) -> int:
    """Return how much of the package is on a host's disk."""
    parts = office.stations[name].state.glob("downloads/**/*.part")
    return max((part.stat().st_size for part in parts), default=0)


def count_fetched(host: Host) -> None:
    """Count at the host what comes to it over HTTPS."""
    chain = "type filter hook input priority 0;"
    rule = f"tcp sport {HTTPS_PORT} counter"
    nft(namespace(host.name), f"table inet fetched {{ chain https {{ {chain} {rule}\n}}\n}}\n")


def fetched(host: Host) -> int:
    """Return how many bytes have come to it, of whatever it fetches."""
    place = ("ip", "netns", "exec", namespace(host.name))
    listed = do(*place, "nft", "list", "table", "inet", "fetched")
    return sum(int(found) for found in re.findall(r"counter packets \d+ bytes (\d+)", listed))


def held_back(host: Host) -> int:
    """Return how often the slow wire has held a frame for the host back."""
    shown = do("tc", "-netns", SWITCH, "-s", "qdisc", "show", "dev", host.name)
    return sum(int(found) for found in re.findall(r"overlimits (\d+)", shown))
