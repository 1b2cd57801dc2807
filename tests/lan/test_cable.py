"""A cable is pulled, for a moment and for long, at each step of a visit: silence is no failure."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.wire.contract import LEASE_SECONDS
from tests.faults.ledger import cordon_of, journal_steps
from tests.lan.box import Box
from tests.lan.cables import (
    FAR_MS,
    VISIT,
    Moment,
    Place,
    end_well,
    facts,
    held_at,
    is_waiting,
    knock,
    pull,
    visits_begun,
    wait_known,
    wait_lost,
)
from tests.lan.faults import Row
from tests.lan.office import LanOffice
from tests.until import until

_THOROUGH = pytest.mark.thorough
pytestmark = pytest.mark.timeout(400)
_AREA = "A cable is pulled"
_UPDATED, _GUARDED = "the host being updated", "a guarded one"
_HOSTS = ("h1", "h2", "h3")
Tell = Callable[[Row], None]


@pytest.mark.parametrize(
    "place", [pytest.param(p, marks=() if p is Place.DURING else _THOROUGH) for p in Place]
)
def test_a_cable_pulled_for_a_moment_at_every_step_changes_nothing(
    tmp_path: Path, told: Tell, place: Place
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        if place is not Place.DURING:
            for name in _HOSTS:
                box.network.lossy(name, FAR_MS, 0)
        office.start()
        closing = [Moment("h1", "drain", place), Moment("h3", "stop-service-manager", place)]
        visited = [Moment("h1", step, place) for step in VISIT]
        again = Moment("h1", "start-service-manager", place, "undo")
        for moment in (*closing, *visited, again):
            strike_visited(office, moment)
            told(row(moment, _UPDATED, "for a moment"))
        for step in VISIT:
            moment = Moment("h2", step, place)
            strike_guarded(office, moment, "h3")
            told(row(moment, _GUARDED, "for a moment"))
        given_back = Moment("h2", "stop-service-manager", place, "tidy")
        strike_visited(office, given_back)
        told(row(given_back, _UPDATED, "for a moment"))
        end_well(office)


def strike_visited(office: LanOffice, moment: Moment) -> None:
    """Pull the cable of the host that takes the step until something was lost on it."""
    with held_at(office, moment):
        losses = pull(office, moment.host)
    losses.wait_for_some()
    if moment.place is Place.BEFORE:  # the order never came
        assert not _has_begun(office, moment)
    office.box.network.put_back(moment.host)
    wait_known(office, moment)


def _has_begun(office: LanOffice, moment: Moment) -> bool:
    steps = journal_steps(office.stations[moment.host].state, office.rollout)
    return moment.key in {row.key for row in steps}


def strike_guarded(office: LanOffice, moment: Moment, guarded: str) -> None:
    """Pull another host's cable in the middle of a visit."""
    with held_at(office, moment):
        losses = pull(office, guarded)
        knock(office, guarded)
        assert losses.count()
        office.box.network.put_back(guarded)
    wait_known(office, moment)


@_THOROUGH
def test_a_cable_out_until_the_link_is_lost_at_every_step_only_delays_it(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        closing = [Moment("h1", "drain"), Moment("h3", "stop-service-manager")]
        visited = [Moment("h1", step) for step in VISIT[:2]] + [Moment("h2", s) for s in VISIT[2:]]
        given_back = Moment("h3", "stop-service-manager", direction="tidy")
        for moment in (*closing, *visited, given_back):
            outlast_link(office, moment)
            told(row(moment, _UPDATED, "until its link is lost"))
        end_well(office)


def outlast_link(office: LanOffice, moment: Moment) -> None:
    """Pull the cable until the coordinator has lost the link; nothing else is touched."""
    lost_before = len(facts(office, "host lost", moment.host))
    with held_at(office, moment):
        losses = pull(office, moment.host)
        begun = visits_begun(office)
    wait_lost(office, moment.host, lost_before)
    assert losses.count()
    assert visits_begun(office) == begun
    office.box.network.put_back(moment.host)
    wait_known(office, moment)


@_THOROUGH
def test_silence_is_unknown_and_no_visit_begins_beside_a_host_whose_lease_is_over(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        moment = Moment("h1", "start-service-manager")
        with held_at(office, moment):
            losses = [pull(office, name) for name in ("h1", "h3")]
            begun, cut_at = visits_begun(office), time.time()
        wait_told(office, "h1: what start-service-manager did is not known", seconds=120)
        assert visit_of(office, "h1")["state"] == "unknown"
        assert visits_begun(office) == begun
        assert said_why(office, "switch h1 on")
        until(lambda: time.time() > cut_at + LEASE_SECONDS, LEASE_SECONDS, "the lease is over")
        assert all(loss.count() for loss in losses)
        assert visits_begun(office) == begun
        office.box.network.put_back("h1")
        wait_told(office, "h2 waits: h3 cannot be seen")
        assert visit_of(office, "h1")["state"] == "updated"
        assert_not_begun(office, "h2", "h3")
        assert said_why(office, "roundsman rollout skip r1 h3 --switched-off")
        assert_sealed(office, "h3")
        office.box.network.put_back("h3")
        end_well(office)
        told(row(moment, _UPDATED, "for two minutes", "unknown; asked again by its id; done"))
        waits = "the visit under way ends; the next waits until it is confirmed closed anew; done"
        told(row(moment, _GUARDED, "for longer than its lease", waits))


@_THOROUGH
def test_a_host_that_a_new_coordinator_has_not_seen_is_waited_for(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        moment = Moment("h1", "start-service-manager")
        with held_at(office, moment):
            losses = pull(office, "h3")
            office.kill_coordinator()
        office.start_coordinator()
        wait_told(office, "h2 waits: h3 cannot be seen")
        assert visit_of(office, "h1")["state"] == "updated"
        assert_not_begun(office, "h2", "h3")
        assert_sealed(office, "h3")
        knock(office, "h3")
        assert losses.count()
        office.box.network.put_back("h3")
        end_well(office)
        waits = "the visit under way ends; the next waits until it is confirmed closed anew; done"
        told(row(moment, _GUARDED, "and the coordinator killed and started", waits))


def wait_told(office: LanOffice, words: str, seconds: float = 60.0) -> None:
    """Return once the rollout waits for a person, and says these words."""

    def is_told() -> bool:
        return is_waiting(office) and words in office.ledger.state_of(office.rollout)["detail"]

    until(is_told, seconds, f"the rollout says: {words}")


def said_why(office: LanOffice, words: str) -> bool:
    """True when `rollout why` says what to do, in these words."""
    return words in str(office.cli("rollout", "why", office.rollout))


def visit_of(office: LanOffice, name: str) -> dict[str, str]:
    """Return where a host stands."""
    query = "SELECT * FROM visit WHERE rollout = ? AND host = ?"
    return office.ledger.rows(query, office.rollout, office.ids[name])[0]


def assert_not_begun(office: LanOffice, *names: str) -> None:
    """No step of a visit was ordered of these hosts."""
    ids = {office.ids[name] for name in names}
    assert not [host for host, _ in visits_begun(office) if host in ids]


def assert_sealed(office: LanOffice, name: str) -> None:
    """Nobody may open the app there, though nobody can be asked."""
    cordon = cordon_of(office.stations[name].state)
    assert cordon is not None
    assert cordon["mode"] == "sealed"


def row(moment: Moment, at: str, how_long: str, outcome: str = "done, no step twice") -> Row:
    """Return what became of a fault."""
    return Row(_AREA, f"cable out {how_long}", at, str(moment), outcome, 0)
