"""Cuts the power at the nth thing that a piece of code does to the disk.

Every change passes the interpreter's audit hook: opening for writing, renaming, deleting, making
folders, setting rights, times and attributes. From the cut on, nothing more reaches the disk.
"""

import os
import sys
from collections.abc import Callable

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_EFFECTS = {
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.chmod",
    "os.chown",
    "os.utime",
    "os.setxattr",
    "os.removexattr",
    "os.symlink",
    "os.link",
    "os.truncate",
    "fcntl.ioctl",
}


class PowerCut(BaseException):
    """Not an Exception: nothing may catch it."""


class _Meter:
    def __init__(self) -> None:
        self.on = False
        self.count = 0
        self.cut_at = 0

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if not self.on or not self._is_effect(event, args):
            return
        self.count += 1
        if 0 < self.cut_at <= self.count:
            raise PowerCut

    @staticmethod
    def _is_effect(event: str, args: tuple[object, ...]) -> bool:
        if event == "open":
            flags = args[2]
            return isinstance(flags, int) and bool(flags & _WRITES)
        return event in _EFFECTS


_METER = _Meter()
sys.addaudithook(_METER)


def effects_of(act: Callable[[], object], cut_at: int = 0) -> int:
    """Do `act`, cut the power at effect `cut_at` (0 = never); return how many there were."""
    _METER.count, _METER.cut_at, _METER.on = 0, cut_at, True
    try:
        act()
    except PowerCut:
        pass
    finally:
        _METER.on = False
    return _METER.count


def was_cut(act: Callable[[], object], cut_at: int) -> bool:
    """Do `act`; True when the power was cut in it, False when it has fewer effects."""
    return effects_of(act, cut_at) >= cut_at
