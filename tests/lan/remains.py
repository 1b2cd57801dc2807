"""What a box leaves on the machine, and how to be rid of it, also after a run that was killed."""

import shutil
import subprocess
from pathlib import Path

from tests.lan.commands import do
from tests.lan.settings import FOLDER, HOSTS, PREFIX
from tests.until import until

CGROUPS = FOLDER / "cgroup"
"""A plain cgroup2 tree, mounted while the box is up, whatever this machine mounts itself."""
_NAMESPACES = Path("/run/netns")
_MINE = f"lan-{PREFIX}-"


def group(name: str) -> str:
    """Return what the control group of a host is called."""
    return _MINE + name


def clear() -> None:
    """End every process of this prefix and have its namespaces, mounts and hosts' files gone."""
    mount_groups()
    end_all()
    for one in _NAMESPACES.glob(f"{PREFIX}-*"):
        _end_namespace(one.name)
    for place in _mounted():
        do("umount", "--lazy", str(place))
    shutil.rmtree(HOSTS, ignore_errors=True)


def end_all() -> None:
    """Kill all that runs in hosts of this prefix."""
    groups = list(CGROUPS.glob(f"{_MINE}*"))
    for one in groups:
        (one / "cgroup.kill").write_text("1")
    for one in groups:
        kill_group(one.name)


def mount_groups() -> None:
    """Mount the tree of control groups, if it is not."""
    CGROUPS.mkdir(parents=True, exist_ok=True)
    if not CGROUPS.is_mount():
        do("mount", "-t", "cgroup2", "cgroup2", str(CGROUPS))


def kill_group(name: str) -> None:
    """Kill all that is in a host's control group, at one blow, and wait until it is gone."""
    place = CGROUPS / name
    if not place.exists():
        return
    (place / "cgroup.kill").write_text("1")
    until(lambda: "populated 0" in (place / "cgroup.events").read_text(), 30, f"{name} is killed")
    for folder in sorted(place.rglob("*/"), reverse=True):
        folder.rmdir()
    place.rmdir()


def _end_namespace(name: str) -> None:
    pids = subprocess.run(
        ["ip", "netns", "pids", name], check=False, capture_output=True, text=True
    )
    for pid in pids.stdout.split():
        subprocess.run(["kill", "-KILL", pid], check=False, capture_output=True)
    do("ip", "netns", "del", name)


def _mounted() -> list[Path]:
    """Return what is mounted in our folder, the innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [Path(line.split()[4]) for line in lines]
    return [place for place in reversed(places) if place.is_relative_to(FOLDER.resolve())]
