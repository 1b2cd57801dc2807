"""Whose a program is: a user, in one session; and where that person is now.

Sessions end, and their numbers are given to others after a restart: a session counts only
together with its user. A program may also run in no session that the system lists: a timer's,
or what an administrator started by hand.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.platforms.base import Process, Session


@dataclass(frozen=True, slots=True)
class Whose:
    """One user in one session; "" = in none that the system lists."""

    user: str
    session: str = ""

    def __str__(self) -> str:
        name = self.user or "the system"
        return f"{name} (session {self.session})" if self.session else name


def whose(process: Process, sessions: Sequence[Session]) -> Whose:
    """Return whose it is. What is in a session that is not listed is in its user's, if any."""
    own = sorted((s for s in sessions if s.user == process.user), key=lambda s: not s.active)
    own.sort(key=lambda session: session.id != process.session)
    return Whose(process.user, own[0].id if own and process.session else "")


def places(wanted: Iterable[Whose], sessions: Sequence[Session]) -> dict[Whose, Whose | None]:
    """Return where each of them is now, None = has logged out; who came back is found again."""
    free = [Whose(session.user, session.id) for session in sessions]
    in_order = sorted(wanted, key=lambda one: one not in free)  # nobody takes another one's seat
    return {one: _seat(one, free) if one.session else one for one in in_order}


def _seat(one: Whose, free: list[Whose]) -> Whose | None:
    own = [one] if one in free else [seat for seat in free if seat.user == one.user]
    if not own:
        return None
    free.remove(own[0])
    return own[0]


def has_left(one: Whose, sessions: Sequence[Session]) -> bool:
    """True when the session that it was in has ended."""
    return bool(one.session) and one not in [Whose(s.user, s.id) for s in sessions]


def lacking(wanted: Sequence[Whose], processes: Iterable[Process]) -> list[Whose]:
    """Return those who have none of these processes, each of which is one person's.

    A process that names none of their sessions is taken for any of its user's.
    """
    left = roots(processes)
    without = [one for one in wanted if not _claim(left, [p for p in left if _of(p) == one])]
    rest = [process for process in left if _of(process) not in wanted]
    return [one for one in without if not _claim(rest, [p for p in rest if p.user == one.user])]


def _of(process: Process) -> Whose:
    return Whose(process.user, process.session)


def _claim(left: list[Process], own: list[Process]) -> bool:
    if own:
        left.remove(own[0])
    return bool(own)


def roots(processes: Iterable[Process]) -> list[Process]:
    """Return those that none of the others has started: many programs are several processes."""
    listed = list(processes)
    pids = {process.pid for process in listed}
    return [process for process in listed if process.parent not in pids]


def pack(people: Iterable[Whose]) -> str:
    """Return them as a text for a memo, each once."""
    return json.dumps([{"user": p.user, "session": p.session} for p in dict.fromkeys(people)])


def unpack(text: str | None) -> list[Whose]:
    """Return what `pack` has made; [] for None."""
    entries: list[Mapping[str, str]] = json.loads(text or "[]")
    return list(dict.fromkeys(Whose(e["user"], e["session"]) for e in entries))


def names(people: Iterable[Whose]) -> str:
    """Return them for a person to read: "marie (session 2), paul (session 5)"."""
    listed = [str(one) for one in people]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
