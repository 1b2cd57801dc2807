from dataclasses import replace

import pytest

from agent.wire.contract import CordonMode, OpenProgram, Refusal, Sight, StepName
from coordinator.walk import policy
from coordinator.walk.ports import SightOf

NOW = 10_000.0
CLOSED = Sight(CordonMode.SEALED, guarded=True)
OPEN = OpenProgram("marie", "1", "office.exe", 7, 3.0)
TRAY = OpenProgram("", "", "tray.exe", 8, 3.0)


def _is_closed(of: SightOf, *, spared_is_open: bool = True, off: tuple[str, ...] = ()) -> bool:
    return not policy.not_closed([of], NOW, off=off, spared_is_open=spared_is_open)


def test_a_host_that_is_sealed_guarded_and_shut_is_closed() -> None:
    assert _is_closed(SightOf("pc", CLOSED, NOW))


@pytest.mark.parametrize(
    ("sight", "why"),
    [
        (replace(CLOSED, open=(OPEN,)), "has it open: office.exe of marie"),
        (replace(CLOSED, guarded=False), "has not looked yet"),
        (replace(CLOSED, mode=CordonMode.LEASED), "is not sealed"),
        (replace(CLOSED, mode=CordonMode.NONE), "opened on the spot, and is closed no more"),
        (
            replace(CLOSED, mode=CordonMode.NONE, detail="opened at this PC by administrator"),
            "opened on the spot, by its administrator",
        ),
        (
            replace(CLOSED, code_used=True, open=(OPEN,)),
            "opened on the spot, with its one-time code; in use by marie",
        ),
        (replace(CLOSED, refusal=Refusal.STALE_EPOCH), "follows another coordinator"),
        (replace(CLOSED, refusal=Refusal.INTERNAL, detail="disk full"), "disk full"),
        (replace(CLOSED, spared=(TRAY,)), "has its service manager running"),
    ],
)
def test_anything_else_is_not_closed_and_says_why(sight: Sight, why: str) -> None:
    of = SightOf("pc", sight, NOW)
    assert not _is_closed(of)
    assert why in policy.why_open(of)


def test_a_service_manager_the_agent_started_may_run_when_the_profile_lets_it() -> None:
    assert _is_closed(SightOf("pc", replace(CLOSED, spared=(TRAY,)), NOW), spared_is_open=False)


@pytest.mark.parametrize(
    ("confirmed_at", "closed"),
    [(0.0, False), (NOW, True), (NOW - 119.9, True), (NOW - 120, False), (NOW + 5, False)],
)
def test_a_host_out_of_sight_is_closed_while_its_lease_lives(
    confirmed_at: float, closed: bool
) -> None:
    assert _is_closed(SightOf("pc", None, confirmed_at)) is closed


def test_a_host_out_of_sight_says_so() -> None:
    assert policy.why_open(SightOf("pc", None)) == "cannot be seen"
    assert policy.why_open(SightOf("pc", None, 0, "no link since 9:00")) == "no link since 9:00"


def test_a_host_said_to_be_off_counts_as_closed_until_it_answers() -> None:
    assert _is_closed(SightOf("pc", None), off=("pc",))
    assert not _is_closed(SightOf("pc", replace(CLOSED, open=(OPEN,))), off=("pc",))


@pytest.mark.parametrize(
    ("estimate", "slowest", "seconds"), [(60, 0, 90), (60, 40, 90), (60, 100, 150), (0, 0, 0)]
)
def test_a_visit_is_allowed_the_slower_of_both_and_its_way_back(
    estimate: float, slowest: float, seconds: float
) -> None:
    assert policy.visit_seconds(estimate, slowest) == seconds


@pytest.mark.parametrize(("spent", "left"), [(0, 90), (50, 40), (60, 30), (500, 30)])
def test_what_is_left_of_a_visit_always_covers_its_way_back(spent: float, left: float) -> None:
    assert policy.seconds_left(60, 0, spent) == pytest.approx(left)


def test_a_group_is_allowed_its_grace_its_visits_and_one_way_back() -> None:
    assert policy.group_seconds([60, 100], 30) == 30 + 160 + 50
    assert policy.group_seconds([], 30) == 30


@pytest.mark.parametrize(("needed", "fits"), [(10, True), (10.1, False), (0, True)])
def test_work_fits_when_it_ends_at_the_deadline_or_before(needed: float, fits: bool) -> None:
    assert policy.fits(NOW, NOW + 10, needed) is fits


OF_A_ROLLOUT = list(StepName)[: list(StepName).index(StepName.CHECK_HEALTH) + 1]


def test_each_step_is_prepared_closed_for_or_visited_once() -> None:
    taken = [*policy.PREPARE, StepName.ANNOUNCE, *policy.CLOSE]
    taken += [StepName.BACK_UP_DATA, *policy.VISIT]
    assert taken == OF_A_ROLLOUT


@pytest.mark.parametrize(
    ("step", "why", "said"),
    [
        (StepName.STAGE, "disk full", " cannot be given the release: disk full"),
        (StepName.STOP_SERVICE_MANAGER, "", " cannot stop service manager: no answer"),
        (StepName.DRAIN, "cannot close Caisse: it prints", ": cannot close Caisse: it prints"),
    ],
)
def test_what_a_host_cannot_do_is_said_once_and_in_words(
    step: StepName, why: str, said: str
) -> None:
    assert policy.cannot(step, why) == said


def test_the_way_back_is_the_visit_backwards() -> None:
    assert policy.VISIT[::-1] == policy.WAY_BACK


def test_every_step_but_the_one_given_back_first_is_tidied_at_commit() -> None:
    nothing_kept = {StepName.ANNOUNCE}
    given_back = {StepName.STOP_SERVICE_MANAGER}
    assert {*policy.COMMIT} == set(OF_A_ROLLOUT) - given_back - nothing_kept
