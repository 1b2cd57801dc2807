"""A change of keys is cut before each of its writes: agents go on, and it is finished later."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.releases.ceremony import renewal, replacement
from coordinator.releases.changes import Change
from coordinator.releases.keys import sign_with
from coordinator.releases.metadata import Holders
from coordinator.releases.repository import Repository
from tests.trust.cuts import cut_before
from tests.trust.keyring import NAME, PROFILE, Agent, Keyring
from tests.trust.office import Office


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Keyring]:
    with Office(tmp_path / "office").open() as office:
        yield Keyring(office)


def ceremony(ring: Keyring) -> Change:
    keys = tuple(ring.key(name).public_key for name in ("ann", "ben", "cleo"))
    change = replacement(*ring.present, Holders(keys, 2), ring.now)
    return ring.signed(change, "init", "ann", "ben")


def renewed(ring: Keyring) -> Change:
    return ring.signed(renewal(*ring.present, ring.now), "init")


def rotated(ring: Keyring) -> Change:
    return ring.signed(ring.replaced("init", "ann"), "init", "ann")


def online(ring: Keyring) -> Change:
    return ring.signed(ring.online_replaced(), "init")


WRITES: dict[Callable[[Keyring], Change], int] = {ceremony: 6, renewed: 6, rotated: 6, online: 7}
CUTS = [(make, write) for make, writes in WRITES.items() for write in range(1, writes + 1)]


@pytest.mark.parametrize(("make", "write"), CUTS)
def test_agents_accept_what_a_cut_leaves_and_the_next_start_finishes_it(
    ring: Keyring, make: Callable[[Keyring], Change], write: int
) -> None:
    target, _ = ring.publish(PROFILE, "init")
    agent = Agent(ring.office)
    change = make(ring)
    was_cut = True
    with agent.https:
        assert agent.accepts(target)
        with cut_before(write):
            ring.office.repository.changes.propose(change)
            was_cut = False
        assert was_cut
        assert agent.accepts(target)
        again = Repository(ring.office.repository.folder, ring.office.clock)
        again.refresh()
        assert again.changes.waiting() is None
        assert again.root_of_trust().version == (1 if write == 1 else 1 + len(change.roots))
        assert agent.accepts(target)
    late = Agent(ring.office, "PC-02")
    with late.https:
        assert late.accepts(target)


@pytest.mark.parametrize("make", list(WRITES))
def test_every_write_was_cut(ring: Keyring, make: Callable[[Keyring], Change]) -> None:
    change = make(ring)
    with cut_before(WRITES[make] + 1):
        ring.office.repository.changes.propose(change)
        assert ring.office.repository.changes.waiting() is None


@pytest.mark.parametrize("write", range(1, 6))
def test_a_list_that_is_cut_while_it_is_published_is_there_or_not(
    ring: Keyring, write: int
) -> None:
    old, _ = ring.publish(PROFILE, "init")
    agent = Agent(ring.office)
    with agent.https:
        ring.office.repository.add(NAME, PROFILE + b"\n")
        signed = sign_with(ring.office.repository.unsigned(), ring.key("init"))
        with cut_before(write):
            ring.office.repository.publish(signed)
        again = Repository(ring.office.repository.folder, ring.office.clock)
        again.refresh()
        (current,) = again.published()
        assert agent.accepts(current)
        assert (current == old) == (write < 4)
