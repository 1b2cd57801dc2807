"""Which hosts are kept closed for a rollout that is not known here, as their agents tell it."""

from dataclasses import dataclass, field

import pytest

from agent.wire.contract import CordonMode, Fence, Refusal, Sight, UncordonOrder
from agent.wire.errors import LinkLost
from coordinator.fleet.orphans import Orphans

HOST, KNOWN, UNKNOWN = "pc-01-abcdef", "01J8ZC4F7Q2R5V9X1B3D6H8K0M", "01J8ZC4F7Q2R5V9X1B3D6H8K0N"
ORPHANED = Sight(CordonMode.SEALED, rollout=UNKNOWN, refusal=Refusal.STALE_EPOCH)
OPEN = Sight(CordonMode.NONE, refusal=Refusal.STALE_EPOCH)


@dataclass
class Store:
    wanted: dict[str, str] = field(default_factory=dict)
    orphans: Orphans = field(init=False)

    def __post_init__(self) -> None:
        self.orphans = Orphans(lambda host: self.wanted.get(host, ""), {KNOWN}.__contains__)


def test_it_is_asked_in_no_epoch_and_once_while_it_is_open() -> None:
    orphans = Store().orphans
    ((method, order),) = orphans.orders(HOST)
    assert method == "uncordon"
    assert isinstance(order, UncordonOrder)
    assert order.fence == Fence(0, "")
    orphans.heard(HOST, OPEN)
    assert orphans.orders(HOST) == ()
    assert orphans.hosts() == frozenset()
    orphans.lost(HOST)
    assert orphans.orders(HOST)


def test_it_is_asked_on_until_it_is_open() -> None:
    orphans = Store().orphans
    orphans.heard(HOST, ORPHANED)
    assert orphans.orders(HOST)
    orphans.lost(HOST)
    assert set(orphans.hosts()) == {HOST}
    orphans.heard(HOST, OPEN)
    assert orphans.hosts() == frozenset()


def test_no_answer_changes_nothing() -> None:
    orphans = Store().orphans
    orphans.heard(HOST, LinkLost("the cable is out"))
    assert orphans.orders(HOST)
    orphans.heard(HOST, ORPHANED)
    orphans.heard(HOST, LinkLost("the cable is out"))
    assert set(orphans.hosts()) == {HOST}


@pytest.mark.parametrize(
    ("sight", "wanted", "is_orphan"),
    [
        (ORPHANED, {}, True),
        (Sight(CordonMode.SEALED, rollout=UNKNOWN), {HOST: KNOWN}, True),
        (Sight(CordonMode.SEALED, rollout=""), {}, False),  # nothing to go by
        (Sight(CordonMode.SEALED, rollout=UNKNOWN), {HOST: UNKNOWN}, False),  # an errand's
        (Sight(CordonMode.SEALED, rollout=KNOWN), {}, False),
        (Sight(CordonMode.LEASED, rollout=UNKNOWN), {}, False),  # it ends by itself
        (Sight(CordonMode.NONE, rollout=UNKNOWN), {}, False),
    ],
)
def test_what_counts_is_a_seal_that_nothing_known_here_has_put_on(
    sight: Sight, wanted: dict[str, str], is_orphan: bool
) -> None:
    store = Store(wanted)
    store.orphans.heard(HOST, sight)
    assert (HOST in store.orphans.hosts()) is is_orphan
