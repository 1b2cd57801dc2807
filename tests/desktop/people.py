"""The service's end, the programs and the hands of the tests on a real desktop."""

import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from Xlib import XK, X, Xatom
from Xlib.display import Display
from Xlib.error import BadDrawable, BadWindow
from Xlib.ext.xtest import fake_input
from Xlib.protocol.event import ClientMessage

from agent.session.messages import FROM_DESKTOP, Seen, Show, from_line, to_line
from agent.session.tops import Top
from agent.session.x11 import Screen
from agent.wire.notices import Notice
from tests.desktop.screens import end, environment_of, picture, text_of
from tests.until import until

M = TypeVar("M")


def as_user(uid: int) -> tuple[str, ...]:
    """Return what makes a program one of this user's; it may still read where the tests are.

    Nobody but root can: then every program is one of ours.
    """
    if os.geteuid() != 0:
        return ()
    ids = ("--reuid", str(uid), "--regid", str(uid), "--clear-groups")
    read = "+dac_override"
    return ("setpriv", *ids, "--inh-caps", read, "--ambient-caps", read, "--")


STAND_IN = Path(__file__).with_name("standin.py")


class Service:
    """A desktop program, and the service's end of its socket pair."""

    def __init__(
        self, display: str, language: str = "en", before: Sequence[str] = (), **more: str
    ) -> None:
        self.link, theirs = socket.socketpair()
        self.link.settimeout(10)
        self._rest = b""
        with theirs:
            command = [*before, sys.executable, "-m", "agent.session", str(theirs.fileno())]
            self.process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=environment_of(display, LANGUAGE=language, **more),
                stderr=subprocess.PIPE,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.link.close()
        end(self.process)
        if self.process.stderr:
            self.process.stderr.close()

    def send(self, message: object) -> None:
        self.link.sendall(to_line(message))

    def show(self, notice: Notice) -> None:
        self.send(Show(notice))

    def hear(self, kind: type[M], that: Callable[[M], bool] = lambda _: True) -> M:
        """Return the next message of this kind of which `that` is true."""
        while True:
            *lines, self._rest = self._rest.split(b"\n")
            for i, line in enumerate(lines):
                message = from_line(line, FROM_DESKTOP)
                if isinstance(message, kind) and that(message):
                    self._rest = b"\n".join([*lines[i + 1 :], self._rest])
                    return message
            received = self.link.recv(65536)
            assert received, "the desktop program has ended"
            self._rest += received

    def sees(self, that: Callable[[Seen], bool]) -> Seen:
        """Return the first that is seen of which `that` is true."""
        return self.hear(Seen, that)

    def said_at_its_end(self) -> str:
        """Return what the program wrote, once it has ended by itself."""
        self.process.wait(10)
        assert self.process.stderr
        return self.process.stderr.read().decode()


@contextmanager
def app(
    display: str, *options: str, before: Sequence[str] = (), file: Path = STAND_IN
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the stand-in application on this display; yield it once it says that it is there."""
    command = [*before, sys.executable, "-I", str(file), *options]
    process = subprocess.Popen(command, env=environment_of(display), stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"there\n"
        yield process
    finally:
        end(process)
        if process.stdout:
            process.stdout.close()


class Hands:
    """A person at one screen: looks at windows, clicks, types."""

    def __init__(self, display: str) -> None:
        self.display = display
        self.screen = Screen(display)
        self._display = Display(display)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.screen.close()
        self._display.close()

    def windows_of(self, process: "subprocess.Popen[bytes]") -> list[Top]:
        return [top for top in self.screen.tops() if top.pid == process.pid]

    def notices(self, service: Service) -> list[Top]:
        """Return the notices that are up."""
        return self.windows_of(service.process)

    def notice(self, service: Service) -> Top:
        """Return the one notice that is up, once it is drawn."""
        return self.window_of(service.process)

    def window_of(self, process: "subprocess.Popen[bytes]") -> Top:
        """Return the one window of this process, once it is there."""
        found: list[Top] = []

        def is_there() -> bool:
            found[:] = self.windows_of(process)
            return len(found) == 1

        until(is_there, what="one window")
        return found[0]

    def flush(self) -> None:
        self._display.sync()

    def atom(self, name: str) -> int:
        return int(self._display.intern_atom(name))

    def window(self, id_: int) -> Any:
        return self._display.create_resource_object("window", id_)

    def buttons(self, id_: int) -> list[tuple[int, int]]:
        """Return the middles of a notice's buttons on the screen, from left to right."""
        try:
            places = [self._place(leaf) for leaf in self._leaves(self.window(id_))]
        except (BadDrawable, BadWindow):
            return []  # it is made anew just now
        lowest = max(top for _, top, _, _ in places)
        row = sorted(place for place in places if abs(place[1] - lowest) < 4)
        return [(left + wide // 2, top + high // 2) for left, top, wide, high in row]

    def place(self, id_: int) -> tuple[int, int, int, int]:
        """Return left, top, width and height on the screen, without the frame."""
        return self._place(self.window(id_))

    def is_still(self, window: Top, unlike: bytes = b"") -> None:
        """Return when the window looks the same twice, a moment apart, and other than before."""
        looks: list[bytes] = [b""]

        def same() -> bool:
            looks.append(self.looks(window))
            self._pause(0.15)
            return looks[-1] == looks[-2] != unlike

        until(same, what="a still picture")

    def looks(self, top: Top) -> bytes:
        """Return every point of a window."""
        window = self.window(top.id)
        size = window.get_geometry()
        whole = window.get_image(0, 0, size.width, size.height, X.ZPixmap, 0xFFFFFFFF)
        return bytes(whole.data)

    def _pause(self, seconds: float) -> None:
        select.select([], [], [], seconds)

    def activate(self, window: Top) -> None:
        """Come to this window, as with Alt-Tab."""
        root = self._display.screen().root
        message = ClientMessage(
            window=self.window(window.id),
            client_type=self.atom("_NET_ACTIVE_WINDOW"),
            data=(32, [2, 0, 0, 0, 0]),
        )
        root.send_event(message, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)
        self._display.sync()
        until(lambda: self.focused() == window.id, what="the focus")
        self.is_still(window)

    def highest(self) -> int:
        """Return the window above all others."""
        found = self._display.screen().root.get_full_property(
            self.atom("_NET_CLIENT_LIST_STACKING"), X.AnyPropertyType
        )
        return int(found.value[-1])

    def point_at(self, x: int, y: int) -> None:
        fake_input(self._display, X.MotionNotify, x=x, y=y)
        self._display.sync()

    def set_resources(self, text: str) -> None:
        root = self._display.screen().root
        root.change_property(Xatom.RESOURCE_MANAGER, Xatom.STRING, 8, text.encode())
        self._display.sync()

    def _leaves(self, window: Any) -> Iterator[Any]:
        children = window.query_tree().children
        if not children:
            yield window
        for child in children:
            yield from self._leaves(child)

    def _place(self, window: Any) -> tuple[int, int, int, int]:
        size = window.get_geometry()
        root = self._display.screen().root
        at = root.translate_coords(window, 0, 0)
        return at.x, at.y, size.width, size.height

    def click(self, x: int, y: int) -> None:
        self.point_at(x, y)
        fake_input(self._display, X.ButtonPress, 1)
        fake_input(self._display, X.ButtonRelease, 1)
        self._display.sync()

    def click_button(self, window: Top, number: int) -> None:
        """Click one of a notice's buttons, counted from the left, once it is drawn."""
        self.is_still(window)
        self.click(*self.buttons(window.id)[number])

    def text(self, window: Top, name: str, language: str = "en") -> str:
        """Read a window; its picture is kept under this name."""
        return text_of(picture(self.display, name, window.id), language)

    def change(self, window: Top, act: Callable[[], None]) -> None:
        """Act, and return when what follows from it has been drawn."""
        self.is_still(window)
        before = self.looks(window)
        act()
        self.is_still(window, unlike=before)

    def press(self, *keys: str) -> None:
        for key in keys:
            code = self._display.keysym_to_keycode(XK.string_to_keysym(key))
            fake_input(self._display, X.KeyPress, code)
            fake_input(self._display, X.KeyRelease, code)
        self._display.sync()

    def focused(self) -> int:
        """Return the window that the window manager says is typed into."""
        root = self._display.screen().root
        atom = self._display.intern_atom("_NET_ACTIVE_WINDOW")
        found = root.get_full_property(atom, X.AnyPropertyType)
        return int(found.value[0]) if found else 0
