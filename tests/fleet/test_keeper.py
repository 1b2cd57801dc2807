from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agent.wire.contract import (
    LEASE_SECONDS,
    CordonMode,
    CordonOrder,
    Fence,
    OpenProgram,
    Refusal,
    Sight,
    UncordonOrder,
)
from agent.wire.errors import LinkLost
from agent.wire.notices import Outlook
from coordinator.fleet.keeper import Keeper
from coordinator.fleet.trust import Trust
from coordinator.model import Plan
from coordinator.store.cordons import Cordons
from coordinator.store.database import open_database
from coordinator.walk.policy import not_closed
from coordinator.walk.ports import SightOf
from tests.fleet.fakes import FakeLinks
from tests.plans import make_plan

PLAN = make_plan(2)
HOSTS = [p.id for p in PLAN.hosts]
HOUR = 3600.0
FENCE = Fence(3, "ab")
SEALED = Sight(CordonMode.SEALED, guarded=True)
WORD = OpenProgram("marie", "2", "office", 41, 3.0)


@dataclass
class Office:
    keeper: Keeper
    links: FakeLinks
    cordons: Cordons
    now: float = 1000.0
    set_by: float = 0.0  # how much later the time of day is than it should be
    plan: Plan = PLAN
    fence: Fence = FENCE

    def today(self) -> float:
        return self.now + self.set_by

    def seal(self) -> list[SightOf]:
        return self.keeper.confirm(HOSTS, PLAN.id, CordonMode.SEALED)

    def open_now(self, sights: list[SightOf]) -> list[str]:
        return [s.host for s in not_closed(sights, self.today(), spared_is_open=True)]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    engine = open_database(f"sqlite:///{tmp_path}/office.sqlite")
    links, cordons = FakeLinks(), Cordons(engine)
    made: Office

    def plan_of(rollout: str) -> Plan | None:
        return made.plan if rollout == PLAN.id else None

    trust = Trust(lambda: made.now, lambda: made.now + made.set_by)
    keeper = Keeper(cordons, links, lambda: made.fence, plan_of, trust)
    made = Office(keeper, links, cordons)
    yield made
    engine.dispose()


def test_what_is_wanted_is_ordered_with_fence_text_and_code_hash(office: Office) -> None:
    office.seal()
    _, method, order = office.links.calls[0]
    assert method == "cordon"
    assert isinstance(order, CordonOrder)
    assert (order.mode, order.fence, order.text) == (
        CordonMode.SEALED,
        Fence(3, "ab"),
        PLAN.notice,
    )
    assert order.code_hash == office.cordons.all()[HOSTS[0]].code_hash


def test_every_order_says_where_the_walk_is(office: Office) -> None:
    def outlook(rollout: str, host: str) -> Outlook:
        assert rollout == PLAN.id
        return Outlook(host, 3, 12, 240.0)

    told = Keeper(
        office.cordons,
        office.links,
        lambda: Fence(3, "ab"),
        lambda _: PLAN,
        Trust(lambda: office.now),
        outlook,
    )
    told.confirm(HOSTS, PLAN.id, CordonMode.LEASED)
    [(_, ping)] = told.orders(HOSTS[1])
    orders = [order for _, _, order in office.links.calls] + [ping]
    assert [order.outlook.updating for order in orders] == [*HOSTS, HOSTS[1]]


def test_a_host_out_of_sight_counts_as_closed_while_its_lease_lives(office: Office) -> None:
    office.seal()
    office.links.sights[HOSTS[1]] = LinkLost("the cable is out")
    office.now += LEASE_SECONDS - 1
    assert office.open_now(office.seal()) == []
    office.now += 1
    assert office.open_now(office.seal()) == [HOSTS[1]]


@pytest.mark.parametrize("seconds", [-HOUR, -LEASE_SECONDS / 2, LEASE_SECONDS / 2, HOUR])
def test_a_lease_is_not_longer_or_shorter_when_somebody_sets_the_clock(
    office: Office, seconds: float
) -> None:
    office.now = 10 * HOUR
    office.seal()
    office.links.sights[HOSTS[1]] = LinkLost("the cable is out")
    office.now += LEASE_SECONDS - 1
    office.set_by = seconds
    assert office.open_now(office.seal()) == []
    office.now += 1
    assert office.open_now(office.seal()) == [HOSTS[1]]


def test_a_lease_is_counted_from_before_the_order_was_sent(office: Office) -> None:
    office.keeper.confirm(HOSTS, PLAN.id, CordonMode.SEALED)
    [(method, order)] = office.keeper.orders(HOSTS[0])
    assert (method, type(order)) == ("cordon", CordonOrder)
    office.now += 50  # the answer takes long
    office.keeper.heard(HOSTS[0], order, SEALED)
    office.links.sights[HOSTS[0]] = LinkLost("gone")
    assert office.seal()[0].confirmed_at == 1000.0


@pytest.mark.parametrize(
    "sight",
    [
        replace(SEALED, open=(WORD,)),
        replace(SEALED, spared=(WORD,)),
        replace(SEALED, guarded=False),
        replace(SEALED, mode=CordonMode.LEASED),
        replace(SEALED, mode=CordonMode.NONE),
        replace(SEALED, code_used=True),
        replace(SEALED, refusal=Refusal.STALE_EPOCH),
    ],
)
def test_one_bad_sight_ends_the_trust_in_an_older_good_one(office: Office, sight: Sight) -> None:
    office.seal()
    office.links.sights[HOSTS[1]] = sight
    assert office.open_now(office.seal()) == [HOSTS[1]]
    office.links.sights[HOSTS[1]] = LinkLost("gone")
    assert office.open_now(office.seal()) == [HOSTS[1]]


def test_a_service_manager_may_run_where_the_profile_lets_it(office: Office) -> None:
    office.plan = replace(PLAN, close_between_visits=False)
    office.links.sights[HOSTS[1]] = replace(SEALED, spared=(WORD,))
    office.seal()
    office.links.sights[HOSTS[1]] = LinkLost("gone")
    sights = office.seal()
    assert not_closed(sights, office.now, spared_is_open=False) == []


def test_a_host_opened_on_the_spot_is_not_sealed_again_by_itself(office: Office) -> None:
    office.seal()
    code = office.cordons.all()[HOSTS[0]].code_hash
    office.links.sights[HOSTS[0]] = replace(SEALED, mode=CordonMode.NONE, code_used=True)
    office.seal()
    assert office.cordons.all()[HOSTS[0]].opened
    office.seal()
    assert office.cordons.all()[HOSTS[0]].code_hash == code
    office.keeper.renew_seal(HOSTS[0])
    assert office.cordons.all()[HOSTS[0]].code_hash != code


def test_a_host_that_was_off_when_the_group_opened_is_told_when_it_is_back(
    office: Office,
) -> None:
    office.seal()
    office.links.sights[HOSTS[1]] = LinkLost("off")
    office.keeper.uncordon(HOSTS)
    assert list(office.cordons.all()) == [HOSTS[1]]
    [(method, order)] = office.keeper.orders(HOSTS[1])
    assert (method, type(order)) == ("uncordon", UncordonOrder)
    office.keeper.heard(HOSTS[1], order, Sight(CordonMode.NONE))
    assert office.cordons.all() == {}
    assert office.keeper.orders(HOSTS[1]) == ()


def test_a_good_answer_to_an_older_order_does_not_outweigh_a_later_bad_one(
    office: Office,
) -> None:
    office.seal()
    [(_, ping)] = office.keeper.orders(HOSTS[0])
    office.links.sights[HOSTS[0]] = replace(SEALED, open=(WORD,))
    assert office.open_now(office.seal()) == [HOSTS[0]]
    office.keeper.heard(HOSTS[0], ping, SEALED)  # what it saw before, taken in late
    office.links.sights[HOSTS[0]] = LinkLost("gone")
    assert office.open_now(office.seal()) == [HOSTS[0]]


def test_an_answer_to_an_order_that_is_wanted_no_longer_is_not_taken_in(office: Office) -> None:
    office.seal()
    [(_, ping)] = office.keeper.orders(HOSTS[0])
    office.links.sights[HOSTS[0]] = LinkLost("gone")
    office.keeper.uncordon(HOSTS)
    [(_, lift)] = office.keeper.orders(HOSTS[0])
    office.keeper.heard(HOSTS[0], ping, Sight(CordonMode.NONE, refusal=Refusal.STALE_EPOCH))
    assert list(office.cordons.all()) == [HOSTS[0]]  # it was not the lift that was answered
    office.seal()
    office.keeper.heard(HOSTS[0], lift, Sight(CordonMode.NONE))
    assert not office.cordons.all()[HOSTS[0]].opened


def test_hosts_that_confirm_while_others_are_closed_lose_no_cordon(office: Office) -> None:
    office.seal()
    office.links.sights |= dict.fromkeys(HOSTS, LinkLost("off"))
    office.keeper.uncordon(HOSTS)
    [(_, lift)] = office.keeper.orders(HOSTS[1])
    with ThreadPoolExecutor(2) as pool:
        heard = pool.submit(office.keeper.heard, HOSTS[1], lift, Sight(CordonMode.NONE))
        sealed = pool.submit(office.keeper.confirm, HOSTS[:1], PLAN.id, CordonMode.SEALED)
        assert (heard.result(), len(sealed.result())) == (None, 1)
    [(method, _)] = office.keeper.orders(HOSTS[0])
    assert (method, office.keeper.orders(HOSTS[1])) == ("cordon", ())


def test_cordons_are_ordered_again_after_a_restart(office: Office) -> None:
    office.seal()
    trust = Trust(lambda: office.now)
    again = Keeper(office.cordons, office.links, lambda: Fence(4, "cd"), lambda _: PLAN, trust)
    [(_, order)] = again.orders(HOSTS[0])
    assert isinstance(order, CordonOrder)
    assert (order.mode, order.fence) == (CordonMode.SEALED, Fence(4, "cd"))


def test_codes_are_told_for_the_hosts_of_a_rollout(office: Office) -> None:
    office.seal()
    assert set(office.keeper.codes(PLAN.id)) == set(HOSTS)
    assert office.keeper.codes("another") == {}


def test_hosts_that_are_kept_closed_are_told_until_they_are_opened(office: Office) -> None:
    office.keeper.confirm(HOSTS, PLAN.id, CordonMode.LEASED)
    assert office.keeper.sealed() == []
    office.links.sights[HOSTS[0]] = replace(SEALED, mode=CordonMode.NONE, code_used=True)
    office.seal()
    assert office.keeper.sealed() == [HOSTS[1]]
    office.keeper.uncordon(HOSTS)
    assert office.keeper.sealed() == []


@pytest.mark.parametrize(("meanwhile", "epochs"), [(3, [3, 3]), (4, [3, 3, 4, 4])])
def test_an_epoch_that_we_have_raised_meanwhile_is_no_other_coordinators(
    office: Office, meanwhile: int, epochs: list[int]
) -> None:
    office.links.sights = {h: replace(SEALED, refusal=Refusal.STALE_EPOCH) for h in HOSTS}

    def line(_call: int) -> None:
        office.fence = Fence(meanwhile, "ab")
        if office.links.calls and office.links.calls[-1][2].fence.epoch == meanwhile > 3:
            office.links.sights = {}

    office.links.line = line
    sights = office.seal()
    assert [order.fence.epoch for _, _, order in office.links.calls] == epochs
    follows_us = [s.sight is not None and s.sight.refusal is None for s in sights]
    assert follows_us[-1] is (meanwhile > 3)
