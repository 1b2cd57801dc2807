"""The people at this host: one program of ours in each desktop session, and what they say.

One thread looks for sessions, starts a program in each as its user, hears it, and starts it anew
when it dies, falls silent or says what cannot be. No other thread ever waits for a desktop: what
it is told is sent at once or kept, within a bound. Nothing that protects the walk depends on it.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress

from agent.people import LoggedPeople
from agent.platforms.base import Process
from agent.platforms.desktop import DesktopControl
from agent.session.messages import CloseWindows, CodeJudged, CodeTyped, Hush, Said, Show
from agent.session_notices import Notices
from agent.session_place import Pace, Place
from agent.steps.table import Answer, Seat
from agent.wire.notices import Notice, Word

_log = logging.getLogger(__name__)
Judge = Callable[[str, str], CodeJudged]
"""Takes the user, and the code typed."""
ANSWER_SECONDS = 30.0
"""An answer that nobody asked for so long is not one to a later question."""
_MOST_PIDS = 200
_LONGEST_WAIT = 60.0


class Sessions:
    """The real `People` of a host. `start` it once, `close` it once."""

    def __init__(self, control: DesktopControl, pace: Pace | None = None) -> None:
        self._control = control
        self._pace = pace or Pace()
        self._logged = LoggedPeople()
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}
        self._notices = Notices()
        self._answers: dict[tuple[str, Word], tuple[float, Answer]] = {}
        self._offers: dict[tuple[str, str], Callable[[], None]] = {}
        self._judge: Judge = _opens_nothing
        self._looked = self._look_at = 0.0
        self._stopping = False
        self._wake_end, self._wait_end = socket.socketpair()
        for end in (self._wake_end, self._wait_end):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="sessions", daemon=True)

    def start(self, judge: Judge) -> None:
        """Start the programs; a code that a person types goes to `judge`."""
        self._judge = judge
        self._thread.start()

    def close(self) -> None:
        """End every program, and the thread."""
        self._stopping = True
        self._wake()
        if self._thread.ident is not None:
            self._thread.join()
        for end in (self._wake_end, self._wait_end):
            end.close()

    def seats(self) -> Sequence[Seat]:
        """Return every session of a person, disconnected ones too."""
        now = time.monotonic()
        with self._lock:
            self._look_soon()
            return tuple(place.seat(now) for place in self._places.values())

    def show(self, notice: Notice, sessions: Collection[str] = ()) -> None:
        """Show the notice, or renew what it says, in these sessions; () = in all."""
        now = time.monotonic()
        with self._lock:
            self._logged.show(notice)
            self._look_soon()
            if self._notices.put(notice, sessions, now):
                self._tell(Show(notice), now, sessions)
        self._wake()

    def hush(self, sessions: Collection[str] = ()) -> None:
        """Take every notice away in these sessions; () = in all.

        Also what stands no more: a countdown that is over is on the screen still.
        """
        now = time.monotonic()
        with self._lock:
            self._logged.hush(sessions)
            self._notices.take_away(sessions, now)
            self._tell(Hush(), now, sessions)
            if not sessions:
                self._answers.clear()
                self._offers.clear()
        self._wake()

    def close_windows(self, processes: Iterable[Process]) -> None:
        """Have each one's windows closed as its user would; returns at once."""
        pids: dict[str, list[int]] = {}
        for process in processes:
            pids.setdefault(process.user, []).append(process.pid)
        now = time.monotonic()
        with self._lock:
            for place in self._places.values():
                of_user = pids.get(place.desktop.user, [])
                for i in range(0, len(of_user), _MOST_PIDS):
                    place.tell(CloseWindows(tuple(of_user[i : i + _MOST_PIDS])), now)
        self._wake()

    def answers(self) -> list[Answer]:
        """Return what people have answered since this was last asked, each word once."""
        now = time.monotonic()
        with self._lock:
            answers, self._answers = self._answers, {}
        return [answer for at, answer in answers.values() if now - at <= ANSWER_SECONDS]

    def offer(self, session: str, user: str, opens: Callable[[], None]) -> None:
        """Do this, once, when that person wants the app opened; until the next `hush` of all."""
        with self._lock:
            self._offers[session, user] = opens

    def _look_soon(self) -> None:
        """Have whoever has just logged in be found: somebody asks who is here."""
        soon = self._looked + self._pace.look
        if soon < self._look_at:
            self._look_at = soon
            self._wake()

    def _tell(self, message: object, now: float, sessions: Collection[str] = ()) -> None:
        for place in self._places.values():
            if not sessions or place.desktop.session in sessions:
                place.tell(message, now)

    def _wake(self) -> None:
        with suppress(OSError):  # so many are on their way already, or it is closed
            self._wake_end.send(b"x")

    def _run(self) -> None:
        while not self._stopping:
            waited_at = time.monotonic()
            self._hear(self._waited())
            now = time.monotonic()
            if now >= self._look_at:
                self._look(now)
            for place in list(self._places.values()):
                self._tend(place, waited_at)
        for place in list(self._places.values()):
            self._end(place)

    def _look(self, now: float) -> None:
        """Find the sessions: those that have ended lose their program, new ones get a place."""
        pace = self._pace
        with self._lock:
            self._looked, self._look_at = now, now + pace.calm_look
        try:
            found = {desktop.session: desktop for desktop in self._control.desktops()}
        except OSError as error:
            _log.warning("cannot tell which sessions there are", extra={"why": str(error)})
            return
        for session, place in list(self._places.items()):
            if session not in found or found[session].user != place.desktop.user:
                self._end(place)
                with self._lock:
                    del self._places[session]
        with self._lock:
            for session, desktop in found.items():
                place = self._places.setdefault(session, Place(desktop, self._control, pace))
                place.desktop = desktop
            self._notices.keep(found, now)

    def _tend(self, place: Place, waited_at: float) -> None:
        """End a program that is of no use, start one where it is due.

        What came after `waited_at` is not read yet: until then only can one have been silent.
        """
        now = time.monotonic()
        with self._lock:
            why = place.why_to_end(waited_at)
            is_due = place.is_due(now)
        if why:
            self._give_up(place, why, now)
        elif is_due:
            self._begin(place, now)

    def _begin(self, place: Place, now: float) -> None:
        try:
            program = self._control.start(place.desktop)
        except OSError as error:
            self._give_up(place, str(error), now)
            return
        with self._lock:
            place.begin(program, now)
            for notice in self._notices.of(place.desktop.session, now):
                place.tell(Show(notice), now)

    def _give_up(self, place: Place, why: str, now: float) -> None:
        with self._lock:
            place.failed(now)
            failures = place.failures
        self._end(place)
        if failures & (failures - 1) == 0:  # the first, second, fourth and so on
            about = {"session": place.desktop.session, "why": why, "times": failures}
            _log.warning("the program in a desktop was ended", extra=about)

    def _end(self, place: Place) -> None:
        with self._lock:
            program = place.drop()
        if program is not None:
            program.end()

    def _waited(self) -> list[Place]:
        """Return the places with something to read, once there are any or one must be tended."""
        poll = select.poll()
        poll.register(self._wait_end, select.POLLIN)
        now = time.monotonic()
        with self._lock:
            by_handle = {p.link.fileno(): p for p in self._places.values() if p.link}
            for handle, place in by_handle.items():
                more = select.POLLOUT if place.link and place.link.has_more else 0
                poll.register(handle, select.POLLIN | more)
            dues = [place.deadline(now) for place in self._places.values()]
            wait = max(0.0, min([self._look_at, now + _LONGEST_WAIT, *dues]) - now)
        ready = {handle for handle, _ in poll.poll(wait * 1000 + 1)}
        with suppress(BlockingIOError):
            self._wait_end.recv(4096)
        return [place for handle, place in by_handle.items() if handle in ready]

    def _hear(self, ready: list[Place]) -> None:
        for place in ready:
            now = time.monotonic()
            with self._lock:
                place.flush(now)
                words = place.hear(now)
            for word in words:
                self._answer(place, word)

    def _answer(self, place: Place, word: Said | CodeTyped) -> None:
        now, desktop = time.monotonic(), place.desktop
        if isinstance(word, CodeTyped):
            self._try(place, word.code)
            return
        answer, opens = Answer(desktop.session, desktop.user, word.word), None
        with self._lock:
            if not self._notices.of(desktop.session, now):
                return  # a word without a question is none
            if word.word is Word.OPEN:
                opens = self._offers.pop((desktop.session, desktop.user), None)
            else:
                self._answers[desktop.session, word.word] = (now, answer)
        if opens is not None:  # not here: it takes a while, and no desktop waits for another
            threading.Thread(target=opens, name="offer", daemon=True).start()

    def _try(self, place: Place, code: str) -> None:
        """Have a code judged, where a code is asked for."""
        now, desktop = time.monotonic(), place.desktop
        with self._lock:
            is_asked = any(notice.may_open for notice in self._notices.of(desktop.session, now))
        judge = self._judge if is_asked else _opens_nothing
        judged = judge(desktop.user, code)
        with self._lock:
            place.tell(judged, now)


def _opens_nothing(_user: str, _code: str) -> CodeJudged:
    return CodeJudged(False, "no code can be tried at this moment")
