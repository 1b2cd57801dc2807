"""Which screens there are on a Linux host, as the environments of processes tell.

Where a program must show itself, and with which cookie, is told nowhere else. A process is
read twice (its environment changes when it turns into another program), and then only the one
that tells of a screen, so that to look again costs next to nothing.
"""

import os
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

_OURS = b"ROUNDSMAN_SESSION="
_TAKEN = re.compile(
    r"DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR|XDG_SESSION_TYPE"
    r"|DBUS_SESSION_BUS_ADDRESS|LANG|LANGUAGE|LC_[A-Z]{1,20}|TZ"
)
_NAME = re.compile(r"[A-Za-z0-9._:/-]{1,100}")
_NUMBER = re.compile(r"(:\d+)\.\d+$")  # which monitor of it does not matter
_SCOPE = re.compile(r"session-([^./]+)\.scope")
_MOST_VALUE = 4096
_MOST_BYTES = 256 * 1024
_FIRST_PERSON = 1000  # below it are the system's own users: the log-in screen's, say
_NOBODY = 65534
_MOST_OF_A_USER = 16  # a user may make up any number of them
_ANEW_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen of one user."""

    uid: int
    name: str  # ":0", or "wayland-0" where there is no X
    scope: str  # the id of the session its process is in, "" = none is known
    environment: dict[str, str] = field(hash=False)


@dataclass(slots=True)
class _Known:
    looks: int
    screen: Screen | None


class Screens:
    """Finds screens; keep it, what it has read is not read again."""

    def __init__(self, only: Collection[str] | None = None) -> None:
        """Find these by name `only`; None = all."""
        self._only = only
        self._known: dict[int, _Known] = {}
        self._anew = 0.0

    def found(self) -> list[Screen]:
        """Return every screen of a person, the one of the oldest process where two tell."""
        now = time.monotonic()
        if now > self._anew:
            self._known, self._anew = {}, now + _ANEW_SECONDS
        before = self._known
        known = self._known = {pid: _look(pid, before.get(pid)) for pid in _pids()}
        screens: dict[tuple[int, str], Screen] = {}
        for pid in sorted(known):
            told = known[pid].screen
            if told is None or not self._is_wanted(told) or _key(told) in screens:
                continue
            if screen := _look(pid, None).screen:  # it may have ended, and not be reaped
                screens[_key(screen)] = screen
        return _bounded(_of_people(list(screens.values())))

    def _is_wanted(self, screen: Screen) -> bool:
        return self._only is None or screen.name in self._only


def _key(screen: Screen) -> tuple[int, str]:
    return screen.uid, screen.name


def session_on(user: str, display: str) -> str:
    """Return the id of a session that the system has no name for: its user's, on that screen."""
    name = _NUMBER.sub(r"\1", display)
    return f"{user}{name}" if name.startswith(":") else f"{user}:{name}"


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - cheap


def _look(pid: int, known: _Known | None) -> _Known:
    if known is not None and known.looks > 1:
        return known
    looks = known.looks + 1 if known else 1
    try:
        return _Known(looks, _screen(pid))
    except OSError:
        return _Known(looks, None)


def _screen(pid: int) -> Screen | None:
    uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116
    if not _is_a_person(uid):
        return None
    raw = _read(f"/proc/{pid}/environ")
    if b"DISPLAY=" not in raw or _OURS in raw:
        return None
    environment = dict(_taken(raw))
    name = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY", "")
    if not _NAME.fullmatch(name):
        return None
    scope = _SCOPE.search(_read(f"/proc/{pid}/cgroup").decode("utf-8", "replace"))
    return Screen(uid, _NUMBER.sub(r"\1", name), scope[1] if scope else "", environment)


def _is_a_person(uid: int) -> bool:
    """True for those whose programs this agent may start: itself; as root, every person."""
    own = os.geteuid()
    return uid == own or (own == 0 and uid >= _FIRST_PERSON and uid != _NOBODY)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(_MOST_BYTES)


def _taken(raw: bytes) -> Iterator[tuple[str, str]]:
    for entry in raw.split(b"\0"):
        name, _, value = os.fsdecode(entry).partition("=")
        if value and len(value) <= _MOST_VALUE and _TAKEN.fullmatch(name):
            yield name, value


def _of_people(screens: list[Screen]) -> list[Screen]:
    """Leave out the administrator's programs on another's screen, and a screen told twice."""
    others = {screen.name for screen in screens if screen.uid != 0}
    with_x = [screen for screen in screens if "DISPLAY" in screen.environment]
    twice = {(screen.uid, screen.environment.get("WAYLAND_DISPLAY")) for screen in with_x}
    own = [screen for screen in screens if screen.uid != 0 or screen.name not in others]
    return [screen for screen in own if (screen.uid, screen.name) not in twice]


def _bounded(screens: list[Screen]) -> list[Screen]:
    count: dict[int, int] = {}
    kept = []
    for screen in screens:
        count[screen.uid] = count.get(screen.uid, 0) + 1
        if count[screen.uid] <= _MOST_OF_A_USER:
            kept.append(screen)
    return kept
