"""Tells the people who have the app open, waits for them, and then closes what is left open.

Ends the moment the last one has left. What is opened again afterwards is the guard's business.
"""

from agent.platforms.base import CloseRung, Process
from agent.programs import Programs
from agent.steps.closing import LOOK_SECONDS, close_all, open_now, told, who
from agent.steps.table import Refused, Work
from agent.wire.contract import Refusal
from agent.wire.notices import Notice, NoticeKind

_LOOK_WHILE_WAITING_SECONDS = 0.5


def drain(work: Work) -> None:
    """Have the app and its updater closed. Raises `Refused` APP_STILL_OPEN, and says for whom."""
    programs = _programs(work)
    at_first = open_now(work, programs)
    work.fact("open_at_first", who(at_first))
    try:
        _wait_for_people(work, programs)
    finally:
        work.people.hush()
    by_itself = sum(not work.platform.is_alive(process) for process in at_first)
    closed = close_all(work, programs)
    if by_itself:
        closed.by_rung[CloseRung.BY_ITSELF] += by_itself
    work.fact("closed_by", told(closed.by_rung))
    _refuse_if_open(work, closed.still_open)


def refuse_while_open(work: Work) -> None:
    """Raise `Refused` APP_STILL_OPEN when the app or its updater is open."""
    _refuse_if_open(work, open_now(work, _programs(work)))


def notice_of(work: Work, seconds_left: float) -> Notice:
    """Return what people are told: what is going to happen, and who asked for it."""
    params = work.params
    return Notice(
        NoticeKind.CLOSE,
        work.profile.title,
        version=params.version,
        asked_by=params.asked_by,
        message=params.notice,
        seconds_left=seconds_left,
        takes=params.takes,
        postpones_left=params.postpones,
    )


def _programs(work: Work) -> Programs:
    names = work.profile.app.programs + work.profile.updater_programs
    return Programs(str(work.installation.folder), names)


def _wait_for_people(work: Work, programs: Programs) -> None:
    end = work.platform.clock() + work.params.grace_seconds
    while open_now(work, programs):
        left = end - work.platform.clock()
        if left <= 0:
            return
        work.people.show(notice_of(work, left))
        work.pause(max(LOOK_SECONDS, min(_LOOK_WHILE_WAITING_SECONDS, left)))


def _refuse_if_open(work: Work, still_open: list[Process]) -> None:
    if still_open:
        raise Refused(
            Refusal.APP_STILL_OPEN,
            f"cannot close {work.profile.title}: still open for {who(still_open)}; "
            "answer its question there, or close it by hand, then retry",
        )
