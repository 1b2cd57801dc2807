"""Which processes are the app, its service manager or its updater. Pure: no look at the system.

A profile names a program by its path below the app's folder, or by a bare file name when it may
be anywhere. A process is that program when its executable is that file, or when it is an
interpreter whose script is that file: an app in Python or Java shows `python3` as its executable.
"""

import posixpath
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from agent.platforms.base import Process
from agent.wire.bounds import Entries, Text
from agent.wire.profile import Profile

_INTERPRETER = re.compile(
    r"(python|pypy|perl|ruby|node|nodejs|java|javaw|mono|php|lua|tclsh|wish|pwsh"
    r"|sh|bash|dash|zsh|ksh|busybox)w?[\d.]*(\.exe)?",
    re.IGNORECASE,
)
_NO_SCRIPT = frozenset({"-c", "-m", "-e"})
_WITH_VALUE = frozenset({"-X", "-W", "-cp", "-classpath", "--class-path", "-r", "-o"})


@dataclass(frozen=True, slots=True)
class Programs:
    """Some programs of one installed app: the folder it is in, and their names."""

    folder: Annotated[str, Text(400)]
    names: Annotated[tuple[Annotated[str, Text(400)], ...], Entries(200)]

    def include(self, process: Process) -> bool:
        """True when the process is one of these programs."""
        return self.name_of(process) != ""

    def name_of(self, process: Process) -> str:
        """Return which of the names the process is, "" when it is none."""
        places = _places(self.folder, self.names)
        files = [_slashes(file) for file in (process.exe, _script(process)) if file]
        keys = [key for f in files for key in ((f, True), (posixpath.basename(f), False))]
        found = [places[key] for key in keys if key in places]
        return self.names[min(found)] if found else ""


@lru_cache(maxsize=64)  # every process of the host is looked up here, once a second or more
def _places(folder: str, names: tuple[str, ...]) -> dict[tuple[str, bool], int]:
    """Return which name a file is meant by: whole paths with True, bare file names with False."""
    places: dict[tuple[str, bool], int] = {}
    for number, name in enumerate(names):
        wanted = _slashes(name)
        whole = "/" in wanted
        place = posixpath.normpath(posixpath.join(_slashes(folder), wanted)) if whole else wanted
        places.setdefault((place, whole), number)
    return places


def all_programs(profile: Profile, folder: Path) -> Programs:
    """Return everything a cordon keeps closed: app, service manager and updater."""
    names = profile.app.programs + profile.service_manager.programs + profile.updater_programs
    return _programs(folder, names)


def app_programs(profile: Profile, folder: Path) -> Programs:
    """Return the app's own programs."""
    return _programs(folder, profile.app.programs)


def service_manager_programs(profile: Profile, folder: Path) -> Programs:
    """Return the programs of the app's service manager."""
    return _programs(folder, profile.service_manager.programs)


def program_file(process: Process) -> str:
    """Return the file that a process is: its executable, or the script its interpreter runs.

    "" for an interpreter of which the script cannot be known.
    """
    interprets = _INTERPRETER.fullmatch(posixpath.basename(_slashes(process.exe)))
    return _script(process) if interprets else _slashes(process.exe)


def _programs(folder: Path, names: tuple[str, ...]) -> Programs:
    return Programs(str(folder), tuple(dict.fromkeys(names)))


def _script(process: Process) -> str:
    """Return the script an interpreter runs, as an absolute path where that can be known."""
    if not _INTERPRETER.fullmatch(posixpath.basename(_slashes(process.exe))):
        return ""
    script = _script_argument(process.argv[1:])
    return posixpath.normpath(posixpath.join(_slashes(process.cwd), script)) if script else ""


def _script_argument(arguments: tuple[str, ...]) -> str:
    words = iter(arguments)
    for word in words:
        if word in _NO_SCRIPT:
            return ""
        if word in _WITH_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            return _slashes(word)
    return ""


def _slashes(path: str) -> str:
    return path.replace("\\", "/")
