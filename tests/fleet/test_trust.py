"""In a large group not all are asked before each change: whose last word counts, and when not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

import pytest

from agent.wire.contract import (
    LEASE_SECONDS,
    CordonMode,
    Direction,
    Fence,
    OpenProgram,
    Refusal,
    Sight,
    StartOrder,
    StepParams,
    StepState,
)
from agent.wire.errors import LinkBusy, LinkLost
from coordinator.fleet.keeper import Keeper
from coordinator.fleet.stepper import Stepper
from coordinator.fleet.trust import FRESH_SECONDS, MOST_ASKED, Trust
from coordinator.store.cordons import Cordons
from coordinator.store.database import open_database
from coordinator.walk.policy import not_closed
from coordinator.walk.ports import SightOf
from tests.fleet.fakes import FakeLinks
from tests.plans import make_plan

PLAN = make_plan(4 * MOST_ASKED)
HOSTS = [p.id for p in PLAN.hosts]
FENCE = Fence(3, "ab")
SEALED = Sight(CordonMode.SEALED, guarded=True)
WORD = OpenProgram("marie", "2", "office", 41, 3.0)


@dataclass
class Office:
    """A large group, sealed and confirmed."""

    cordons: Cordons
    links: FakeLinks = field(default_factory=FakeLinks)
    now: float = 1000.0
    fence: Fence = FENCE

    def __post_init__(self) -> None:
        self.trust = Trust(lambda: self.now)
        self.keeper = Keeper(
            self.cordons, self.links, lambda: self.fence, lambda _: PLAN, self.trust
        )
        self.seal()
        self.now += 1

    def seal(self, hosts: list[str] = HOSTS) -> list[SightOf]:
        return self.keeper.confirm(hosts, PLAN.id, CordonMode.SEALED)

    def asked(self, hosts: list[str] = HOSTS) -> list[str]:
        """Confirm, and return who was asked for it."""
        before = len(self.links.calls)
        self.seal(hosts)
        return [host for host, _, _ in self.links.calls[before:]]

    def ping(self, *hosts: str) -> None:
        for host in hosts:
            [(method, order)] = self.keeper.orders(host)
            answer = self.links.call_all({host: order}, method, 5.0)[host]
            self.keeper.heard(host, order, answer)

    def step(self, host: str, *states: StepState) -> None:
        self.links.states, self.links.known = list(states), None
        order = StartOrder(
            f"{PLAN.id}/{host}/check-health", Direction.DO, 1, self.fence, 0.0,
            StepParams(PLAN.profile),
        )  # fmt: skip
        stepper = Stepper(self.links, Event(), lambda: self.fence, self.trust)
        stepper.take(host, order, 0.0, lambda _report: None)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    engine = open_database(f"sqlite:///{tmp_path}/office.sqlite")
    yield Office(Cordons(engine))
    engine.dispose()


def test_only_some_are_asked_and_all_are_told_of(office: Office) -> None:
    assert len(office.asked()) == MOST_ASKED
    sights = office.seal()
    assert [s.host for s in sights] == HOSTS
    assert not_closed(sights, office.now, spared_is_open=True) == []


def test_all_of_a_small_group_are_asked_each_time(office: Office) -> None:
    assert office.asked(HOSTS[:MOST_ASKED]) == HOSTS[:MOST_ASKED]


def test_those_are_asked_that_were_not_heard_for_longest(office: Office) -> None:
    asked = []
    for _ in range(4):
        asked += office.asked()
        office.now += 1
    assert asked == HOSTS


def test_what_is_not_fresh_is_asked_for_again(office: Office) -> None:
    office.now += FRESH_SECONDS - 2
    office.ping(*HOSTS[:10])
    office.now += 1
    assert set(HOSTS) - set(office.asked()) == set(HOSTS[:10])


def test_what_counts_as_fresh_is_far_within_the_lease() -> None:
    assert FRESH_SECONDS * 8 <= LEASE_SECONDS


def test_a_clock_that_was_set_back_has_everybody_asked(office: Office) -> None:
    office.now -= 600
    assert office.asked() == HOSTS


@pytest.mark.parametrize(
    "sight",
    [
        replace(SEALED, open=(WORD,)),
        replace(SEALED, spared=(WORD,)),
        replace(SEALED, guarded=False),
        replace(SEALED, mode=CordonMode.NONE, code_used=True),
        replace(SEALED, refusal=Refusal.STALE_EPOCH),
        LinkLost("the cable is out"),
        LinkBusy("another call held the link"),
    ],
)
def test_a_ping_that_is_not_answered_well_has_the_host_asked(
    office: Office, sight: Sight | LinkLost | LinkBusy
) -> None:
    office.seal()
    office.now += 1
    last = office.links.calls[-1][0]
    office.links.sights[last] = sight
    office.ping(last)
    assert last in office.asked()


def newest(office: Office) -> str:
    """Return a host that would not be asked: it was heard just now."""
    office.ping(HOSTS[7])
    office.now += 0.5
    return HOSTS[7]


Disturbance = Callable[[Office, str], None]


@pytest.mark.parametrize(
    "disturb",
    [
        lambda office, host: office.step(host, StepState.DONE),
        lambda office, host: office.step(host, StepState.FAILED),
        lambda office, host: office.trust.forget(host),
    ],
    ids=["a step", "a step that failed", "a lost link"],
)
def test_a_host_that_something_has_happened_to_is_asked(
    office: Office, disturb: Disturbance
) -> None:
    host = newest(office)
    assert host not in office.asked()
    office.now += 1
    disturb(office, host)
    assert host in office.asked()


def test_a_host_is_believed_nothing_while_the_end_of_its_step_is_not_known(
    office: Office,
) -> None:
    host = HOSTS[7]
    office.step(host, StepState.RUNNING)
    office.now += 1
    office.ping(*HOSTS)
    assert host in office.asked()
    office.step(host, StepState.DONE)
    office.now += 1
    assert newest(office) == host
    assert host not in office.asked()


def test_an_answer_from_before_a_step_does_not_count_after_it(office: Office) -> None:
    host = HOSTS[7]
    [(_, order)] = office.keeper.orders(host)
    office.now += 1
    office.step(host, StepState.DONE)
    office.now += 1
    office.keeper.heard(host, order, SEALED)
    assert host in office.asked()


def test_another_epoch_has_everybody_asked(office: Office) -> None:
    office.fence = Fence(4, "ab")
    assert office.asked() == HOSTS


def test_a_new_code_has_its_host_asked(office: Office) -> None:
    host = newest(office)
    office.cordons.note_opened(host, "by its code", office.now)
    office.keeper._refresh(host)
    office.keeper.renew_seal(host)
    assert host in office.asked()


def test_a_host_is_known_to_answer_only_when_it_was_asked(office: Office) -> None:
    asked = set(office.asked())
    office.now += 1
    again = {s.host for s in office.seal() if s.asked}
    assert len(again) == MOST_ASKED
    assert not again & asked
