"""Asks dpkg what is installed, and has it install one package file. Debian only.

dpkg's own lists are read from its folder: what a program prints is bounded, they are not.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from agent.platforms.base import Ended
from agent.steps.apply.outcome import told, when_late
from agent.steps.table import Failed, Work

_ADMIN = Path("/var/lib/dpkg")
_NOT_IN_A_PACKAGE = {
    "Status",
    "Conffiles",
    "Config-Version",
    "Triggers-Pending",
    "Triggers-Awaited",
}
_INSTALL = ("dpkg", "--force-confold", "--force-confdef", "--force-downgrade", "--install")
_LOOK_SECONDS = 60.0
_WAIT_SECONDS = 5.0
_LOCKED = re.compile(r"lock(ed)? .*another process|unable to (lock|acquire)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Installed:
    """What dpkg knows of a package."""

    version: str = ""  # "" = none is installed
    status: str = "not-installed"

    @property
    def is_whole(self) -> bool:
        """True when it is installed and configured."""
        return self.status == "installed"


def installed(work: Work, package: str) -> Installed:
    """Return what dpkg knows of a package; asked from it, since its list may lag behind."""
    form = "--showformat=${db:Status-Status}|${Version}"
    ended = _asked(work, "dpkg-query", "--show", form, package)
    status, _, version = ended.output.strip().partition("|")
    return Installed(version, status) if ended.code == 0 else Installed()


def control_of(package: str) -> str:
    """Return the control file of a package that would be installed like this one."""
    for paragraph in (_ADMIN / "status").read_text("utf-8", "replace").split("\n\n"):
        if paragraph.startswith(f"Package: {package}\n"):
            fields = _fields(paragraph)
            kept = {key: text for key, text in fields.items() if key not in _NOT_IN_A_PACKAGE}
            return "".join(f"{key}:{text}\n" for key, text in kept.items())
    raise Failed(f'cannot look at the package "{package}": dpkg does not list it')


def paths_of(package: str) -> list[str]:
    """Return every path of an installed package, absolute, folders before what is in them."""
    lines = _info_file(package, "list").read_text("utf-8", "surrogateescape").splitlines()
    return [line for line in lines if line not in {"", "/."}]


def control_files(package: str) -> list[Path]:
    """Return what dpkg keeps of a package's control data: scripts, conffiles, sums."""
    stem = _info_file(package, "list").name.removesuffix("list")
    found = sorted((_ADMIN / "info").glob(f"{stem}*"))
    return [path for path in found if path.name.removeprefix(stem) != "list"]


def is_diverted(paths: list[str]) -> bool:
    """True when another file is at one of these places, by an administrator's diversion."""
    diverted = (_ADMIN / "diversions").read_text("utf-8", "replace").splitlines()
    return not set(paths).isdisjoint(diverted)


def look_into(work: Work, file: Path) -> dict[str, str]:
    """Return name and version of a package file. Raises `Failed` when it is none."""
    form = "--showformat=Package: ${Package}\nVersion: ${Version}\n"
    ended = _asked(work, "dpkg-deb", "--show", form, str(file))
    if ended.code != 0:
        raise Failed(f'cannot use "{file.name}": it is no Debian package{told(ended)}')
    return {key: text.strip() for key, text in _fields(ended.output).items()}


def install(work: Work, file: Path, seconds: float) -> Ended:
    """Have dpkg install a package file, the older too, keeping the configuration that is there.

    Waits while another program uses dpkg; returns how it ended, `is_locked` when it still does.
    """
    return _run(work, [*_INSTALL, str(file)], seconds)


def configure(work: Work, package: str, seconds: float) -> Ended:
    """Have dpkg end the installation of a package that it has unpacked."""
    return _run(work, ["dpkg", "--force-confold", "--configure", package], seconds)


def is_locked(ended: Ended) -> bool:
    """True when dpkg did nothing, since another program uses it."""
    return ended.code not in {0, None} and _LOCKED.search(ended.output) is not None


def ask(work: Work, *argv: str) -> None:
    """Run a tool of dpkg's on the agent's own files. Raises `Failed`."""
    ended = _asked(work, *argv)
    if ended.code != 0:
        raise Failed(f"cannot use {argv[0]} {argv[1]}: exit code {ended.code}{told(ended)}")


def _asked(work: Work, *argv: str) -> Ended:
    limit = max(_LOOK_SECONDS, work.profile.apply.limit_seconds)
    return work.platform.run(argv, Path("/"), limit, when_late(work))


def _run(work: Work, argv: list[str], seconds: float) -> Ended:
    end = work.platform.clock() + seconds
    while True:
        left = max(1.0, end - work.platform.clock())
        ended = work.platform.run(argv, Path("/"), left, when_late(work))
        if not is_locked(ended) or work.platform.clock() + _WAIT_SECONDS >= end:
            return ended
        work.pause(_WAIT_SECONDS)


def _info_file(package: str, kind: str) -> Path:
    plain = _ADMIN / "info" / f"{package}.{kind}"
    found = [plain] if plain.exists() else sorted((_ADMIN / "info").glob(f"{package}:*.{kind}"))
    if len(found) != 1:
        raise Failed(f'cannot look at the package "{package}": dpkg has {len(found)} lists of it')
    return found[0]


def _fields(paragraph: str) -> dict[str, str]:
    found: dict[str, str] = {}
    key = ""
    for line in paragraph.splitlines():
        if line.startswith((" ", "\t")) and key:
            found[key] += f"\n{line}"
        else:
            key, _, text = line.partition(":")
            found[key] = text
    return found
