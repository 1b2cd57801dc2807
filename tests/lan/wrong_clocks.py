"""Clocks that can be set while they are read: of one program, by a library put before it.

All machines of a box share the kernel's clock. What counts from the boot stays right, and so do
the times of files: as where somebody sets the time of day.
"""

import shutil
from pathlib import Path

from tests.lan import agents
from tests.lan.box import Box, Host
from tests.lan.commands import do
from tests.lan.office import LanOffice
from tests.lan.settings import FOLDER

HOUR = 3600
WORD = {HOUR: "ahead of", -HOUR: "behind"}
_SOURCE = Path(__file__).with_name("set_clock.c")
_LIBRARY = Path("/usr/local/lib/set_clock.so")
_THERE = Path("/var/tmp/clock")
_UNIT = f"etc/systemd/system/{agents.UNIT}.d/clock.conf"


def make_settable(box: Box) -> None:
    """Have every host's agent read a clock that can be set; before an office is in the box."""
    for host in box.hosts.values():
        shutil.copy(_built(), _at(host, _LIBRARY))
        set_clock(_at(host, _THERE), 0)
        unit = host.root / _UNIT
        unit.parent.mkdir(parents=True)
        lines = [f"Environment={key}={value}" for key, value in _read(_LIBRARY, _THERE).items()]
        unit.write_text("\n".join(["[Service]", *lines, ""]), "utf-8")


def clock_of(host: Host) -> Path:
    """Return the file that says how far off the clock of a host's agent is."""
    return _at(host, _THERE)


def make_coordinators_settable(office: LanOffice) -> Path:
    """Have the coordinator's next start read a clock that can be set; return its file."""
    clock = office.folder / "clock"
    set_clock(clock, 0)
    office.surroundings = _read(_built(), clock)
    return clock


def set_clock(clock: Path, off: int) -> None:
    """Set a clock so many seconds off, at once for whoever reads it."""
    beside = clock.with_suffix(".new")
    beside.write_text(f"{off:+d}\n", "utf-8")
    beside.replace(clock)


def _read(library: Path, clock: Path) -> dict[str, str]:
    return {"LD_PRELOAD": str(library), "SET_CLOCK": str(clock)}


def _built() -> Path:
    library = FOLDER / "set_clock.so"
    do("cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE))
    return library


def _at(host: Host, path: Path) -> Path:
    return host.root / path.relative_to("/")
