"""An X11 screen: its windows, how they are asked to close, how long nobody has typed.

Windows come and go while one looks: what has gone meanwhile is left out. Nothing here ends a
client by force, and a window manager is never asked to close what it could only kill.
"""

import socket
from collections.abc import Collection, Iterator
from typing import Any

from Xlib import X, Xatom, Xutil
from Xlib.display import Display
from Xlib.error import BadAtom, BadDrawable, BadWindow, XError
from Xlib.ext import res
from Xlib.protocol.event import ClientMessage

from agent.session.tops import Place, Style, Top, to_close, under

_STYLES = {
    "NORMAL": Style.MAIN,
    "DIALOG": Style.DIALOG,
    "UTILITY": Style.BESIDE,
    "TOOLBAR": Style.BESIDE,
    "MENU": Style.BESIDE,
    "SPLASH": Style.BESIDE,
    "NOTIFICATION": Style.NONE,
    "TOOLTIP": Style.NONE,
    "DOCK": Style.NONE,
    "DESKTOP": Style.NONE,
}
_GONE = (BadWindow, BadDrawable, BadAtom)
_BY_PAGER = 2  # EWMH: who asks; a pager, which acts for the user
_MOST_WINDOWS = 1000


def _never_mind(_error: XError, _request: object) -> None:
    """A window went before what was sent to it."""


class Screen:
    """The screen that DISPLAY names. Raises Xlib.error.DisplayError when it cannot be opened."""

    def __init__(self, name: str | None = None) -> None:
        self._display = Display(name)
        self._display.set_error_handler(_never_mind)
        self._root = self._display.screen().root
        self._here = {"", "localhost", socket.gethostname()}
        self._pids = _has(self._display, res.extname)
        self._idle = _has(self._display, "MIT-SCREEN-SAVER")
        self._watch()

    def _watch(self) -> None:
        """Be told of changes: by the window manager's list, or window by window without one."""
        mask = X.PropertyChangeMask
        if not self.is_managed():
            mask |= X.SubstructureNotifyMask
        self._root.change_attributes(event_mask=mask)
        self._display.flush()

    def fileno(self) -> int:
        """Return the connection's number, to be told when something has changed."""
        return int(self._display.fileno())

    def changed(self) -> bool:
        """True when windows have come or gone since this was last asked."""
        changed = False
        while self._display.pending_events():
            event = self._display.next_event()
            changed |= event.type != X.PropertyNotify or event.atom == self._atom("CLIENT_LIST")
        return changed

    def close(self) -> None:
        """Let the connection go."""
        self._display.close()

    def tops(self) -> list[Top]:
        """Return every top-level window that is shown, or made an icon."""
        return list(self._tops())

    def _tops(self) -> Iterator[Top]:
        for window in self._windows()[:_MOST_WINDOWS]:
            try:
                pid = self._pid(window)
                if pid:
                    yield self._top(window, pid)
            except _GONE:
                continue

    def _top(self, window: Any, pid: int) -> Top:
        owner = _first(window, Xatom.WM_TRANSIENT_FOR)
        return Top(
            window.id,
            pid,
            self._style(window),
            modal=self._atom("WM_STATE_MODAL") in _values(window, self._atom("WM_STATE")),
            owner=owner,
            deletable=self._named("WM_DELETE_WINDOW") in window.get_wm_protocols(),
        )

    def _style(self, window: Any) -> Style:
        kinds = _values(window, self._atom("WM_WINDOW_TYPE"))
        names = {self._atom(f"WM_WINDOW_TYPE_{name}"): style for name, style in _STYLES.items()}
        return next((names[kind] for kind in kinds if kind in names), Style.MAIN)

    def _windows(self) -> list[Any]:
        if self.is_managed():
            listed = _values(self._root, self._atom("CLIENT_LIST"))
            return [self._display.create_resource_object("window", id_) for id_ in listed]
        return [window for window in self._root.query_tree().children if _is_shown(window)]

    def is_managed(self) -> bool:
        """True when a window manager is there now; a property may be a dead one's."""
        check = self._atom("SUPPORTING_WM_CHECK")
        id_ = _first(self._root, check)
        window = self._display.create_resource_object("window", id_)
        try:
            return bool(id_) and _first(window, check) == id_
        except _GONE:
            return False

    def _pid(self, window: Any) -> int:
        """Return the process on this machine that made the window; 0 = none that is known."""
        named = _first(window, self._atom("WM_PID"))
        if named:
            machine = window.get_wm_client_machine() or ""
            return named if str(machine) in self._here else 0
        return self._pid_of_client(window.id) if self._pids else 0

    def _pid_of_client(self, id_: int) -> int:
        spec = [{"client": id_, "mask": res.LocalClientPIDMask}]
        found = self._display.res_query_client_ids(spec).ids
        return next((int(entry.value[0]) for entry in found if entry.value), 0)

    def press_cross(self, pids: Collection[int]) -> None:
        """Ask the main windows of these processes to close, as their user would."""
        for top in to_close(self.tops(), pids):
            self._press(top)
        self._display.flush()

    def _press(self, top: Top) -> None:
        window = self._display.create_resource_object("window", top.id)
        wanted = self._atom("CLOSE_WINDOW")
        if self.is_managed() and wanted in _values(self._root, self._atom("SUPPORTED")):
            mask = X.SubstructureRedirectMask | X.SubstructureNotifyMask
            _send(self._root, window, wanted, [X.CurrentTime, _BY_PAGER], mask)
        else:
            delete = [self._named("WM_DELETE_WINDOW"), X.CurrentTime]
            _send(window, window, self._named("WM_PROTOCOLS"), delete, X.NoEventMask)

    def idle_seconds(self) -> float:
        """Return how long nobody has typed or moved the mouse; 0 when it is not known."""
        if not self._idle:
            return 0.0
        return float(self._root.screensaver_query_info().idle) / 1000

    def dots_per_inch(self) -> float:
        """Return the desktop's own scale for text; 0 when it has none."""
        resources = self._root.get_full_property(Xatom.RESOURCE_MANAGER, Xatom.STRING)
        lines = (resources.value if resources else b"").decode("latin-1").splitlines()
        wanted = [line.partition(":")[2] for line in lines if line.startswith("Xft.dpi:")]
        try:
            return float(wanted[0])
        except (IndexError, ValueError):
            return 0.0

    def monitor(self) -> Place:
        """Return the monitor that the pointer is on."""
        pointer, whole = self._root.query_pointer(), self._root.get_geometry()
        monitors = [*self._monitors(), Place(0, 0, int(whole.width), int(whole.height))]
        return under(int(pointer.root_x), int(pointer.root_y), monitors)

    def _monitors(self) -> list[Place]:
        if not _has(self._display, "XINERAMA"):
            return []
        screens = self._display.xinerama_query_screens().screens
        return [Place(each.x, each.y, each.width, each.height) for each in screens]

    def never_take_focus(self, id_: int) -> None:
        """Have this window of ours come up without the keyboard: somebody may be typing.

        Tk's window sits in another one, which is what a window manager sees.
        """
        window = self._display.create_resource_object("window", id_)
        around = window.query_tree().parent
        seen = window if around == self._root else around
        seen.change_property(self._atom("WM_USER_TIME"), Xatom.CARDINAL, 32, [0])
        self._display.sync()

    def _atom(self, name: str) -> int:
        return self._named(f"_NET_{name}")

    def _named(self, name: str) -> int:
        return int(self._display.get_atom(name))  # asked once of the server, then remembered


def _has(display: Display, extension: str) -> bool:
    return bool(display.has_extension(extension))


def _values(window: Any, atom: int) -> list[int]:
    found = window.get_full_property(atom, X.AnyPropertyType)
    return list(found.value) if found and found.format == 32 else []


def _first(window: Any, atom: int) -> int:
    return next((int(value) for value in _values(window, atom)), 0)


def _is_shown(window: Any) -> bool:
    """True for a window that is mapped, or an icon, where no window manager keeps a list."""
    try:
        attributes = window.get_attributes()
        state = window.get_wm_state()
    except _GONE:
        return False
    if attributes.override_redirect or attributes.win_class == X.InputOnly:
        return False
    iconic = state is not None and state.state == Xutil.IconicState
    return bool(iconic or attributes.map_state == X.IsViewable)


def _send(to: Any, about: Any, kind: int, values: list[int], mask: int) -> None:
    data = (values + [0] * 5)[:5]
    message = ClientMessage(window=about, client_type=kind, data=(32, data))
    to.send_event(message, event_mask=mask)
