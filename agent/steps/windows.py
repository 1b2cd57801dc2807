"""Which programs have a window, whose they are, and which of them ask a question. Pure.

All of it is what the programs in the desktops tell: it may delay, never prove. Which session a
process belongs to is not always known; whose it is always is.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from agent.platforms.base import OF_A_DESKTOP, Process
from agent.steps.table import Seat


class Window(StrEnum):
    """Whether a program has a window."""

    THERE = "there"
    NONE = "none"
    UNKNOWN = "unknown"  # one of its user's sessions does not let its windows be seen


def window_of(processes: Iterable[Process], seats: Iterable[Seat]) -> Window:
    """Return whether the processes of one program have a window; it is enough that one has."""
    listed = list(seats)
    found = {_window(process, listed) for process in processes}
    order = (Window.THERE, Window.UNKNOWN)
    return next((window for window in order if window in found), Window.NONE)


def _window(process: Process, seats: Sequence[Seat]) -> Window:
    own = [seat for seat in seats if seat.user == process.user]
    if any(seat.sees and process.pid in seat.windows for seat in own):
        return Window.THERE
    return Window.NONE if all(seat.sees for seat in own) else Window.UNKNOWN


def is_asking(processes: Iterable[Process], seats: Iterable[Seat]) -> bool:
    """True when one of the processes has a question on its user's screen."""
    listed = list(seats)
    return any(
        process.pid in seat.asking
        for process in processes
        for seat in listed
        if seat.user == process.user
    )


def is_seen(processes: Iterable[Process], seats: Iterable[Seat]) -> bool:
    """True when no window of these processes, and so no question, can go unseen."""
    users = {process.user for process in processes}
    own = [seat for seat in seats if seat.user in users]
    return bool(own) and all(seat.sees for seat in own)


def seats_of(processes: Sequence[Process], seats: Iterable[Seat]) -> list[Seat]:
    """Return the seats where a program is: of its windows, else its session, else its user."""
    own = [seat for seat in seats if any(seat.user == p.user for p in processes)]
    by_window = [s for s in own if any(p.pid in s.windows and p.user == s.user for p in processes)]
    by_session = [
        s for s in own if any((p.session, p.user) == (s.session, s.user) for p in processes)
    ]
    return by_window or by_session or own


def session_of(processes: Sequence[Process], seats: Iterable[Seat]) -> str:
    """Return which session a program is in, "" when that is not known."""
    there = seats_of(processes, seats)
    return there[0].session if len(there) == 1 else processes[0].session


def shown_at(processes: Sequence[Process], seats: Iterable[Seat]) -> list[Seat]:
    """Return the seats whose people know that the program is open.

    An import of theirs that runs without a window, in no session of theirs, is none of it; a
    program that has hidden its window, say in a tray, still is in its session.
    """
    listed = list(seats)
    there = seats_of(processes, listed)
    if window_of(processes, listed) is not Window.NONE:
        return there
    if any(process.session.endswith(OF_A_DESKTOP) for process in processes):
        return there
    return [seat for seat in there if any(seat.session == p.session for p in processes)]
