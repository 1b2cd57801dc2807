"""The pings of a hub over real links: spread over a while, and who is lost by them."""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from coordinator.fleet.hub import HubOptions, Order
from tests.wire.fakes import FakeAgent
from tests.wire.pair import office
from tests.wire.pki import TestCa

OPTIONS = HubOptions("0.1.0", ping_every=60)


def test_pings_that_are_spread_reach_everybody(ca: TestCa) -> None:
    pinged: list[str] = []

    def note(host_id: str) -> Sequence[Order]:
        pinged.append(host_id)
        return ()

    with office(ca, dataclasses.replace(OPTIONS, on_ping=note)) as here:
        names = ["pc-01", "pc-02", "pc-03"]
        for name in names:
            here.linked_agent(name, FakeAgent())
        here.hub.beat(0.03)
        assert sorted(pinged) == names


def test_pings_that_are_spread_hold_up_no_end(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        here.linked_agent("pc-03", FakeAgent())
        with ThreadPoolExecutor(1) as pool:
            beat = pool.submit(here.hub.beat, 600.0)
            here.hub.close()
            beat.result(timeout=10)


def test_who_is_lost_is_told_and_how_each_host_stands(ca: TestCa) -> None:
    lost: list[str] = []
    with office(ca, dataclasses.replace(OPTIONS, on_lost=lost.append)) as here:
        uplink = here.linked_agent("pc-03", FakeAgent())
        assert here.hub.standing("pc-03") == here.hub.standings()["pc-03"]
        uplink.stop()
        here.hub.beat()
        assert lost == ["pc-03"]
        assert not here.hub.standing("pc-03").linked
        assert here.hub.standing("pc-99").hello is None
