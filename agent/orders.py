"""What becomes of an order to start a step, given what the journal knows. Pure: no I/O, no clock.

A step is known by its id. Asked for again it is not done again: while it runs the caller joins
it, when it is done the stored result is the answer. Only a higher attempt takes a step again
that ended badly, or that was taken back since; an interrupted one may keep its attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from agent.records import StepRecord
from agent.wire.contract import Direction, Refusal, StartOrder, StepState

History = Mapping[Direction, StepRecord | None]


class Answer(Enum):
    """What to do about an order that is not refused."""

    START = auto()
    STORED = auto()  # running or ended: tell what is known
    NOTHING = auto()  # there is nothing to take back or to tidy: done at once


@dataclass(frozen=True, slots=True)
class No:
    """The order is refused; nothing was changed."""

    refusal: Refusal
    detail: str


def judge(order: StartOrder, history: History, *, repeats: bool = False) -> Answer | No:
    """Return what becomes of `order`; `history` is the step's record in each direction.

    With `repeats` each higher attempt is a run of its own, with parameters of its own.
    """
    known = history[order.direction]
    if known is None:
        return _first(order, history)
    higher = order.attempt > known.report.attempt
    if repeats and higher and known.state is not StepState.RUNNING:
        return Answer.START
    if known.params != order.params:
        return No(
            Refusal.STEP_MISMATCH, f"{order.step_id} was ordered before, with other parameters"
        )
    if order.attempt < known.report.attempt:
        return No(
            Refusal.STALE_ATTEMPT,
            f"attempt {order.attempt} comes too late: {known.report.attempt} was heard already",
        )
    return _again(order, known, history)


def _first(order: StartOrder, history: History) -> Answer:
    done = history[Direction.DO]
    if order.direction is Direction.DO or (done is not None and done.touched):
        return Answer.START
    return Answer.NOTHING


def _again(order: StartOrder, known: StepRecord, history: History) -> Answer:
    higher = order.attempt > known.report.attempt
    if known.state is StepState.RUNNING:
        return Answer.STORED
    if known.state is StepState.INTERRUPTED:
        return Answer.START
    if _overtaken(known, history):
        # an undo must never be called done when the step was taken again after it
        return Answer.START if higher or order.direction is not Direction.DO else Answer.STORED
    if known.state is StepState.DONE:
        return Answer.STORED
    return Answer.START if higher else Answer.STORED


def _overtaken(known: StepRecord, history: History) -> bool:
    """True when the step has been taken the other way since, so that the result is no more."""
    is_do = known.report.direction is Direction.DO
    other = history[Direction.UNDO if is_do else Direction.DO]
    return other is not None and other.began > known.began and other.state is not StepState.REFUSED
