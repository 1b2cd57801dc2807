"""The program in one desktop: hears the service, shows what it says, tells what it sees.

One thread, tkinter's. It ends with its service, with its screen, and at anything it does not
understand; the service starts it anew.
"""

import logging
import os
import tkinter
from collections.abc import Callable, Mapping
from types import TracebackType

from Xlib.error import ConnectionClosedError, DisplayError

from agent.session.language import tongue_of
from agent.session.look import fonts, scale
from agent.session.messages import (
    BEAT_SECONDS,
    CloseWindows,
    CodeJudged,
    Hush,
    Lacks,
    Seen,
    Show,
)
from agent.session.talk import Ended, Talk
from agent.session.tops import asking, having_windows
from agent.session.window import Desk
from agent.session.windows import Windows
from agent.session.x11 import Screen
from agent.wire.codec import BadMessage
from agent.wire.notices import Blind, Notice, NoticeKind

_log = logging.getLogger(__name__)
_TICK_MS = 500
_SOON_MS = 40
"""Changes that come together are told, and drawn, together."""
_MOST_PIDS = 200
_MOST_IDLE = 366 * 86400.0


class Program:
    """One desktop's program, from its first word to its end."""

    def __init__(
        self, talk: Talk, screen: Screen, root: tkinter.Tk, environment: Mapping[str, str]
    ) -> None:
        self._talk = talk
        self._screen = screen
        self._root = root
        self._is_seen = not environment.get("WAYLAND_DISPLAY")
        self._told: Seen | None = None
        self._waiting: dict[NoticeKind, Notice] = {}
        self._look_is_due = False
        self._code = 0
        desk = Desk(
            root, fonts(root), tongue_of(environment), screen.never_take_focus, screen.monitor
        )
        self._windows = Windows(desk, self._say)

    def run(self) -> int:
        """Work until the end; return the exit code, 0 when the service has gone."""
        root = self._root
        root.report_callback_exception = self._broken
        root.tk.createfilehandler(self._talk.fileno(), tkinter.READABLE, self._guarded(self._hear))
        root.tk.createfilehandler(
            self._screen.fileno(), tkinter.READABLE, self._guarded(self._screen_changed)
        )
        root.after(0, self._beat)
        root.after(_TICK_MS, self._tick)
        root.mainloop()
        return self._code

    def _guarded(self, act: Callable[[], None]) -> Callable[[object, int], None]:
        def guarded(_file: object, _mask: int) -> None:
            try:
                act()
            except (Ended, BadMessage, ConnectionClosedError, tkinter.TclError) as error:
                self._end(error)

        return guarded

    def _broken(
        self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
    ) -> None:
        self._end(error)

    def _end(self, error: BaseException) -> None:
        _log.info("the desktop program ends: %s", error)
        self._code = 0 if isinstance(error, Ended) else 2
        self._root.quit()

    def _hear(self) -> None:
        for message in self._talk.hear():
            self._obey(message)

    def _obey(self, message: object) -> None:
        match message:
            case Show(notice):
                self._wait_to_show(notice)
            case Hush():
                self._waiting.clear()
                self._windows.hush()
            case CloseWindows(pids):
                self._screen.press_cross(pids)
            case CodeJudged(opened, why):
                self._windows.judged(opened=opened, why=why)

    def _wait_to_show(self, notice: Notice) -> None:
        """Show only the last of many that come at once."""
        if not self._waiting:
            self._root.after(_SOON_MS, self._show)
        self._waiting[notice.kind] = notice

    def _show(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for notice in waiting.values():
            self._windows.show(notice)

    def _tick(self) -> None:
        self._windows.tick()
        self._root.after(_TICK_MS, self._tick)

    def _screen_changed(self) -> None:
        if self._screen.changed() and not self._look_is_due:
            self._look_is_due = True
            self._root.after(_SOON_MS, self._look)

    def _look(self) -> None:
        self._look_is_due = False
        seen = self._seen()
        if self._told is None or _news(seen) != _news(self._told):
            self._tell(seen)

    def _beat(self) -> None:
        self._tell(self._seen())
        self._root.after(round(BEAT_SECONDS * 1000), self._beat)

    def _tell(self, seen: Seen) -> None:
        self._say(seen)
        self._told = seen

    def _say(self, message: object) -> None:
        self._talk.say(message)

    def _seen(self) -> Seen:
        tops = self._screen.tops()
        own = {os.getpid()}
        windows, asked = having_windows(tops) - own, asking(tops) - own
        sees = self._is_seen and len(windows) <= _MOST_PIDS
        idle = min(self._screen.idle_seconds(), _MOST_IDLE)
        self._screen_changed()  # what came while we looked does not wake us
        return Seen(_first(windows), _first(asked), sees, idle)


def _first(pids: set[int]) -> tuple[int, ...]:
    return tuple(sorted(pids)[:_MOST_PIDS])


def _news(seen: Seen) -> tuple[object, ...]:
    return seen.windows, seen.asking, seen.sees


def work(talk: Talk, environment: Mapping[str, str]) -> int:
    """Be the program of the desktop that `environment` names; return its exit code."""
    try:
        screen = Screen(environment.get("DISPLAY"))
        root = tkinter.Tk(className="Roundsman")
    except (DisplayError, OSError, tkinter.TclError) as error:
        _log.error("cannot open this desktop's screen: %s", error)
        unseen = environment.get("WAYLAND_DISPLAY") and not environment.get("DISPLAY")
        talk.say(Lacks(Blind.UNSEEN if unseen else Blind.NO_DISPLAY))
        return 1
    root.withdraw()
    scale(root, screen.dots_per_inch())
    return Program(talk, screen, root, environment).run()
