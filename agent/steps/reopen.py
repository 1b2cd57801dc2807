"""Gives the app back to those who had it open when they were asked to leave, where that is wanted.

Who it was is in the memo of the drain. A person is found again in the session they were in, or
in another of theirs; who has logged out gets nothing. Only the program is started, the one they
had open of those that the profile names: their arguments and documents are theirs, and what a
process says of its own arguments is never run. Where the profile does not ask for it, they are
told that the app is available, and may have it opened from there.
"""

import json
import logging
import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.platforms.base import Spot
from agent.programs import Programs, app_programs
from agent.steps.closing import open_now
from agent.steps.drain import HAD_OPEN
from agent.steps.table import Work
from agent.steps.whose import Whose, lacking, names, places
from agent.wire.contract import Finding, Severity, StepName
from agent.wire.notices import Notice, NoticeKind

_log = logging.getLogger(__name__)
_MOMENT_SECONDS = 3.0
_Had = dict[Whose, str]  # the path of the program, below the app's folder


def reopen(work: Work) -> None:
    """Open the app again for those who had it open, or tell them that they may."""
    had = _had_open(work)
    now = places(had, work.platform.sessions())
    if gone := [one for one, seat in now.items() if seat is None]:
        work.fact("logged_out", names(gone))
    here = {seat: had[one] for one, seat in now.items() if seat is not None}
    if work.profile.close.reopen:
        _open(work, here)
    else:
        _tell(work, here)
    # given back: a drain that comes later in the rollout begins anew, and a repeat does nothing
    work.memo_of(StepName.DRAIN).put(HAD_OPEN, "[]")


def _had_open(work: Work) -> _Had:
    had: _Had = {}
    for entry in json.loads(work.memo_of(StepName.DRAIN).get(HAD_OPEN) or "[]"):
        had.setdefault(Whose(entry["user"], entry["session"]), _program(work, entry))
    return had


def _program(work: Work, entry: Mapping[str, Any]) -> str:
    """Return the program that this person had open, the app's first where that is not known."""
    programs = app_programs(work.profile, work.installation.folder)
    had = entry.get("program", "")
    return had if had in programs.names else _first(work, programs)


def _first(work: Work, programs: Programs) -> str:
    return next((name for name in programs.names if _file(work, name)), programs.names[0])


def _file(work: Work, name: str) -> Path | None:
    """Return where the program is below the app's folder, None when no plain file is there."""
    spot = Spot(work.installation.folder, posixpath.normpath(name.replace("\\", "/")))
    found = None if spot.path.startswith("..") else work.platform.look_at(spot)
    return spot.folder / spot.path if found is not None and found.is_file else None


def _open(work: Work, here: _Had) -> None:
    """Open it for each who has not opened it already, say before the agent was killed in this."""
    running = open_now(work, app_programs(work.profile, work.installation.folder))
    without = lacking(list(here), running)
    begun = [one for one in without if _is_opened(work, one, here[one])]
    opened = _staying(work, begun)
    if opened:
        work.fact("reopened_for", names(opened))
    if failed := {one: here[one] for one in without if one not in opened}:
        _tell(work, failed)


def _staying(work: Work, begun: Sequence[Whose]) -> list[Whose]:
    """Return who has it open yet after a moment; of the others it is told that it ended."""
    if not begun:
        return []
    work.pause(_MOMENT_SECONDS)
    running = open_now(work, app_programs(work.profile, work.installation.folder))
    ended = lacking(list(begun), running)
    for one in ended:
        why = f"{work.profile.title} was opened again for {one}, and ended within seconds"
        work.find(Finding("not-reopened", Severity.NOTE, why[:500]))
    return [one for one in begun if one not in ended]


def _is_opened(work: Work, one: Whose, program: str) -> bool:
    try:
        _start(work, one, program)
    except OSError as error:
        why = f"{work.profile.title} could not be opened again for {one}: {error}"
        work.find(Finding("not-reopened", Severity.NOTE, why[:500]))
        return False
    return True


def _start(work: Work, one: Whose, program: str) -> None:
    file = _file(work, program)
    if file is None:
        raise FileNotFoundError(f'"{program}" is no file of the app')
    work.platform.start_program([str(file)], work.installation.folder, one.user, one.session)


def _tell(work: Work, here: _Had) -> None:
    """Tell those who can be told, in their sessions only, and open it for who then wants it."""
    sessions = [one.session for one in here if one.session]
    if sessions:
        for one, program in here.items():
            work.people.offer(one.session, one.user, _opener(work, one, program))
        params = work.params
        work.people.show(
            Notice(
                NoticeKind.AVAILABLE,
                work.profile.title,
                version=params.version,
                asked_by=params.asked_by,
                drill=params.drill,
            ),
            sessions,
        )
    work.fact("told_available", names(here))


def _opener(work: Work, one: Whose, program: str) -> Callable[[], None]:
    """Return what opens it for this person; it may be called long after the step has ended."""

    def opens() -> None:
        try:
            _start(work, one, program)
        except OSError as error:
            _log.warning("cannot open the app", extra={"for": str(one), "why": str(error)})

    return opens
