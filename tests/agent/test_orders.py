import pytest

from agent.orders import Answer, No, judge
from agent.records import StepRecord
from agent.wire.contract import (
    Direction,
    Refusal,
    StartOrder,
    StepParams,
    StepReport,
    StepState,
)
from tests.agent.fakes import PARAMS, PROFILE, Orders

DO, UNDO, TIDY = Direction
S = StepState
ORDERS = Orders()


def kept(
    direction: Direction, state: StepState, attempt: int = 1, began: int = 1, touched: bool = True
) -> StepRecord:
    report = StepReport(ORDERS.start().step_id, direction, state, attempt)
    return StepRecord(report, PARAMS, began, 0.0, touched=touched)


def answer(order: StartOrder, *records: StepRecord) -> Answer | Refusal:
    history: dict[Direction, StepRecord | None] = dict.fromkeys(Direction)
    history |= {record.report.direction: record for record in records}
    judged = judge(order, history)
    return judged.refusal if isinstance(judged, No) else judged


@pytest.mark.parametrize(
    ("state", "same", "higher"),
    [
        (S.RUNNING, Answer.STORED, Answer.STORED),
        (S.DONE, Answer.STORED, Answer.STORED),
        (S.FAILED, Answer.STORED, Answer.START),
        (S.REFUSED, Answer.STORED, Answer.START),
        (S.CANCELLED, Answer.STORED, Answer.START),
        (S.INTERRUPTED, Answer.START, Answer.START),
    ],
)
@pytest.mark.parametrize("direction", list(Direction))
def test_a_step_heard_before_is_started_only_when_it_ended_badly(
    direction: Direction, state: StepState, same: Answer, higher: Answer
) -> None:
    known = kept(direction, state, attempt=2)
    assert answer(ORDERS.start(direction, attempt=2), known) is same
    assert answer(ORDERS.start(direction, attempt=3), known) is higher


@pytest.mark.parametrize("state", [state for state in S if state is not S.UNHEARD])
def test_a_lower_attempt_is_stale_whatever_became_of_the_step(state: StepState) -> None:
    assert answer(ORDERS.start(attempt=1), kept(DO, state, 2)) is Refusal.STALE_ATTEMPT


@pytest.mark.parametrize("state", [state for state in S if state is not S.UNHEARD])
def test_other_parameters_are_refused_whatever_became_of_the_step(state: StepState) -> None:
    order = ORDERS.start(attempt=9, params=StepParams(PROFILE, version="1.2"))
    assert answer(order, kept(DO, state)) is Refusal.STEP_MISMATCH


def test_a_step_never_heard_of_is_started() -> None:
    assert answer(ORDERS.start()) is Answer.START


@pytest.mark.parametrize("direction", [UNDO, TIDY])
def test_what_was_never_done_needs_no_undo_and_no_tidy(direction: Direction) -> None:
    assert answer(ORDERS.start(direction)) is Answer.NOTHING
    refused = kept(DO, S.REFUSED, touched=False)
    assert answer(ORDERS.start(direction), refused) is Answer.NOTHING


@pytest.mark.parametrize("state", [S.DONE, S.FAILED, S.CANCELLED, S.INTERRUPTED])
@pytest.mark.parametrize("direction", [UNDO, TIDY])
def test_what_was_begun_is_undone_and_tidied(direction: Direction, state: StepState) -> None:
    assert answer(ORDERS.start(direction), kept(DO, state)) is Answer.START


def test_a_refused_second_attempt_does_not_hide_what_the_first_one_changed() -> None:
    record = kept(DO, S.REFUSED, attempt=2, touched=True)
    assert answer(ORDERS.start(UNDO), record) is Answer.START


def test_a_step_taken_back_is_taken_again_by_a_higher_attempt_only() -> None:
    history = kept(DO, S.DONE, began=1), kept(UNDO, S.DONE, began=2)
    assert answer(ORDERS.start(attempt=1), *history) is Answer.STORED
    assert answer(ORDERS.start(attempt=2), *history) is Answer.START


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_step_taken_again_is_never_called_undone(attempt: int) -> None:
    history = kept(DO, S.DONE, attempt=2, began=3), kept(UNDO, S.DONE, began=2)
    assert answer(ORDERS.start(UNDO, attempt), *history) is Answer.START


def test_a_done_step_whose_undo_failed_half_way_is_taken_again() -> None:
    history = kept(DO, S.DONE, began=1), kept(UNDO, S.FAILED, began=2)
    assert answer(ORDERS.start(attempt=2), *history) is Answer.START


def test_a_refused_undo_leaves_the_step_done() -> None:
    history = kept(DO, S.DONE, began=1), kept(UNDO, S.REFUSED, began=2)
    assert answer(ORDERS.start(attempt=2), *history) is Answer.STORED


@pytest.mark.parametrize("state", [S.DONE, S.FAILED, S.REFUSED, S.CANCELLED, S.INTERRUPTED])
def test_a_step_that_repeats_is_taken_at_every_higher_attempt_with_what_it_is_given_then(
    state: StepState,
) -> None:
    known = kept(DO, state, attempt=2)
    other = StepParams(PROFILE, starts_in=60.0)
    history: dict[Direction, StepRecord | None] = {DO: known, UNDO: None, TIDY: None}

    assert judge(ORDERS.start(attempt=3, params=other), history, repeats=True) is Answer.START
    same = judge(ORDERS.start(attempt=2), history, repeats=True)
    assert same is judge(ORDERS.start(attempt=2), history)


def test_a_step_that_repeats_is_not_begun_twice_at_once() -> None:
    history: dict[Direction, StepRecord | None] = {
        DO: kept(DO, S.RUNNING, attempt=2),
        UNDO: None,
        TIDY: None,
    }

    assert judge(ORDERS.start(attempt=3), history, repeats=True) is Answer.STORED
