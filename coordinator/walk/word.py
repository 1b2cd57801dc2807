"""What an operator says to a rollout under way: when it is heard, and what it does.

He is heard at safe points only, each word once; where a question waits he is waited for.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from agent.wire.contract import CordonMode
from coordinator.walk import policy
from coordinator.walk.course import NOT_ALONE, Abort, Course
from coordinator.walk.ports import Command, Verb
from coordinator.walk.states import TRANSITIONS, Event, HostState, RolloutState

_LONG_SECONDS = 600.0
_ABORTS = frozenset({Verb.ABORT_LEAVE_CLOSED, Verb.ABORT_ROLL_BACK})
_AT_REST = frozenset({HostState.UPDATED, HostState.SKIPPED})
_LEAVE_OUT = frozenset({Verb.SKIP, Verb.SWITCHED_OFF})
_ABORT = "roundsman rollout abort {rollout}"
_ALL_BACK = f"{_ABORT} --roll-back-all"
_SERVES_BOTH = "others work with its new release already"


def hear(course: Course) -> None:
    """Be at a safe point: do what the operator has said. Raises `Abort`."""
    while (command := course.port.safe_point(course.heard, 0)) is not None:
        _heed(course, command, "")


def ask(
    course: Course, about: Sequence[str], answers: Collection[Verb], patience: float = 0.0
) -> Command | None:
    """Wait for one of these answers about one of these hosts, () = about the rollout.

    Returns None, so that the caller looks again, when something else was said and after
    `patience` seconds (0 = for ever). An answer without a host is about the first. Raises
    `Abort`.
    """
    while (command := course.port.safe_point(course.heard, patience or _LONG_SECONDS)) is None:
        if patience:
            return None
    asked = about[0] if about else ""
    _heed(course, command, asked)
    if command.verb in answers and (not about or command.host in {"", *about}):
        return replace(command, host=command.host or asked)
    return None


def is_tried_again(course: Course, host: str) -> bool:
    """Wait until an operator has the host tried again, True, or left out. Raises `Abort`."""
    while not course.is_out(host):
        if ask(course, [host], {Verb.RETRY}) is not None:
            return True
    return False


def _heed(course: Course, command: Command, asked: str) -> None:
    course.heard = command.number
    if command.verb in _ABORTS:
        raise Abort(command.verb)
    if command.verb is Verb.RESUME and command.until:
        course.deadline = command.until
    if command.verb is Verb.PAUSE and course.stands.rollout is not RolloutState.PAUSED:
        _halt(course, RolloutState.PAUSED, *_paused(command))
    if command.verb is Verb.WITHDRAW:
        _halt(course, RolloutState.NEEDS_OPERATOR, *_withdrawn(course, command))
    host = command.host or asked
    if host in course.states:
        _heed_about(course, host, command.verb)


def _heed_about(course: Course, host: str, verb: Verb) -> None:
    if host == course.needed and verb in _LEAVE_OUT:
        _refuse(course, f"{course.name(host)} holds the data and cannot be left out now")
    elif verb is Verb.ROLL_BACK and host in course.changed:
        _note_unwanted(course, host)
    elif verb is Verb.SWITCHED_OFF and not (course.is_unsure(host) and _answers(course, host)):
        _leave_out(course, host, "switched off, says an operator", off=True)
    elif verb is Verb.SKIP and not course.is_unsure(host):
        _leave_out(course, host, "left out by an operator")


def _note_unwanted(course: Course, host: str) -> None:
    if not course.goes_back_alone(host):
        _refuse(course, f"{course.name(host)} cannot go back alone: {NOT_ALONE}", _ALL_BACK)
    elif course.is_mixed and policy.is_first(course.plan, course.planned(host)):
        _refuse(course, f"{course.name(host)} cannot go back alone: {_SERVES_BOTH}", _ALL_BACK)
    elif course.states[host] is HostState.UPDATED:
        course.unwanted.add(host)


def _refuse(course: Course, why: str, mend: str = "") -> None:
    """Tell why an operator's word is not followed, before what was told already."""
    stands = course.stands
    if not stands.detail.startswith(why):
        rest = f"; {stands.detail}" if stands.detail else ""
        course.tell(stands.rollout, why + rest, stands.mend or mend)


def _answers(course: Course, host: str) -> bool:
    if course.port.confirm([host], CordonMode.SEALED)[0].sight is None:
        return False
    why = f"{course.name(host)} answers, so it is not switched off: it is asked again"
    course.tell(course.stands.rollout, why, course.stands.mend)
    return True


def _leave_out(course: Course, host: str, why: str, *, off: bool = False) -> None:
    may_skip = (course.states[host], Event.SKIPPED) in TRANSITIONS
    if off and (may_skip or course.states[host] in _AT_REST):
        course.switched_off.add(host)  # it is sealed should it return
    if may_skip:
        course.move(host, Event.SKIPPED, why)


def _halt(course: Course, state: RolloutState, detail: str, mend: str) -> None:
    """Let nothing begin until an operator has it go on; the same word twice is heeded once."""
    if course.stands.detail == detail:
        return
    before = course.stands
    course.tell(state, detail, mend)
    while ask(course, (), {Verb.RESUME}) is None:
        pass
    course.stand(before)


def _paused(command: Command) -> tuple[str, str]:
    said = f"paused by {command.by or 'an operator'}; the app stays closed where it is"
    return said, "roundsman rollout resume {rollout}"


def _withdrawn(course: Course, command: Command) -> tuple[str, str]:
    release = f"{course.plan.app} {course.plan.version}"
    back = _ALL_BACK if course.changed else _ABORT
    return (
        f"{release} was withdrawn by {command.by or 'an operator'}. No further workstation is "
        "begun, and the app stays closed where it is",
        f"{back}, or, to go on with it all the same: roundsman release withdraw {release} --undo, "
        "then roundsman release sign, then roundsman rollout resume {rollout}",
    )
