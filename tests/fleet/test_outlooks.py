from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.wire.notices import Outlook
from coordinator.fleet.outlooks import Outlooks
from coordinator.store.database import open_database
from coordinator.store.rollouts import Rollouts
from coordinator.store.rows import RolloutRow, VisitRow
from coordinator.walk.ports import News
from coordinator.walk.states import HostState, RolloutState
from tests.plans import make_plan, numbered

PLAN = make_plan(3)
HOSTS = [p.id for p in PLAN.hosts]


class Told:
    """The store, counting how often it is read."""

    def __init__(self, rollouts: Rollouts) -> None:
        self.rollouts = rollouts
        self.reads = 0

    def find(self, key: str) -> RolloutRow | None:
        self.reads += 1
        return self.rollouts.find(key)

    def visits(self, rollout_id: str) -> list[VisitRow]:
        return self.rollouts.visits(rollout_id)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    engine = open_database(f"sqlite:///{tmp_path}/office.sqlite")
    rollouts = Rollouts(engine, lambda: 1000.0)
    rollouts.begin(PLAN, "ann", lambda _connection: None)
    rollouts.tell(PLAN.id, News(RolloutState.WALKING))
    news = News(RolloutState.WALKING, host=HOSTS[0], state=HostState.UPDATING)
    rollouts.tell(PLAN.id, news)
    yield Told(rollouts)
    engine.dispose()


def test_every_host_is_told_what_the_store_says(told: Told) -> None:
    outlooks = Outlooks(told, lambda: 1010.0)
    assert outlooks.of(PLAN.id, HOSTS[2]) == Outlook("PC-01", 1, 3, 170.0)


def test_the_pings_of_a_few_seconds_read_the_store_once(told: Told) -> None:
    now = [1010.0]
    outlooks = Outlooks(told, lambda: now[0])
    for n in range(200):
        now[0] = 1010.0 + n / 100
        outlooks.of(PLAN.id, HOSTS[n % 3])
    assert told.reads == 1
    now[0] += 5
    outlooks.of(PLAN.id, HOSTS[0])
    assert told.reads == 2


def test_a_clock_that_was_set_back_does_not_keep_what_is_old(told: Told) -> None:
    now = [1010.0]
    outlooks = Outlooks(told, lambda: now[0])
    outlooks.of(PLAN.id, HOSTS[0])
    now[0] = 10.0
    outlooks.of(PLAN.id, HOSTS[0])
    assert told.reads == 2


def test_an_errand_and_a_rollout_that_has_ended_have_no_outlook(told: Told) -> None:
    assert Outlooks(told).of(numbered(9), HOSTS[0]) == Outlook()
    told.rollouts.tell(PLAN.id, News(RolloutState.LEFT_CLOSED))
    assert Outlooks(told).of(PLAN.id, HOSTS[0]) == Outlook()


def test_what_is_kept_of_many_rollouts_is_bounded(told: Told) -> None:
    outlooks = Outlooks(told, lambda: 1010.0)
    for n in range(200):
        outlooks.of(numbered(n + 1), HOSTS[0])
    outlooks.of(PLAN.id, HOSTS[0])
    assert len(outlooks._seen) <= 50
