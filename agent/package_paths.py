"""Which paths a package may have: those that mean one file, below the folder, on every system.

Judged before anything is written. A path that is harmless on Linux and not on Windows (a drive,
a stream, a reserved name, a trailing dot, a twin that differs by case) is refused everywhere.
"""

import unicodedata
from collections.abc import Iterable

MOST_CHARACTERS = 400
MOST_BYTES_OF_A_PART = 255
_FORBIDDEN = set('\\:<>"|?*')
_NUMBERED = "0123456789\u00b9\u00b2\u00b3"
_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in _NUMBERED
}


class BadPackage(ValueError):  # noqa: N818 - reads better where it is raised
    """A package is not what its signed manifest says, or asks for what none may have."""


def check_path(path: str) -> None:
    """Raise `BadPackage` unless `path` is one plain relative POSIX path."""
    if why := _whole(path) or next((w for w in map(_part, path.split("/")) if w), ""):
        raise BadPackage(f"cannot unpack {_shown(path)}: {why}")


def check_together(paths: Iterable[str]) -> None:
    """Raise `BadPackage` when two paths are one file on some system, or a file is a folder."""
    files: dict[str, str] = {}
    for path in paths:
        twin = files.get(_key(path))
        if twin is not None:
            why = "is there twice" if twin == path else f"is {_shown(twin)} on some systems"
            raise BadPackage(f"cannot unpack {_shown(path)}: it {why}")
        files[_key(path)] = path
    _check_folders(files)


def folders_of(paths: Iterable[str]) -> set[str]:
    """Return every folder that these files lie in, without the top one."""
    found: set[str] = set()
    for path in paths:
        while "/" in path:
            path = path.rpartition("/")[0]  # noqa: PLW2901 - climbs
            found.add(path)
    return found


def _check_folders(files: dict[str, str]) -> None:
    spelled: dict[str, str] = {}
    for folder in sorted(folders_of(files.values())):
        key = _key(folder)
        if key in files:
            raise BadPackage(f"cannot unpack {_shown(folder)}: it is a file and a folder")
        if spelled.setdefault(key, folder) != folder:
            raise BadPackage(f"cannot unpack {_shown(folder)}: its folder is spelled two ways")


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _whole(path: str) -> str:
    if not path or len(path) > MOST_CHARACTERS:
        return f"a path has 1 to {MOST_CHARACTERS} characters"
    if not path.isprintable():
        return "it has control characters"
    if _FORBIDDEN & set(path):
        return "it has a drive, a stream, a backslash or a wildcard in it"
    if path.startswith("/"):
        return "it is absolute"
    return ""


def _part(part: str) -> str:
    if part in {"", ".", ".."}:
        return "it has . or .. or an empty part in it"
    if part[-1] in ". " or part[0] == " ":
        return "a part begins or ends with a space, or ends with a dot"
    if part.split(".")[0].rstrip(" ").casefold() in _RESERVED:
        return f"{part} is the name of a device"
    if len(part.encode()) > MOST_BYTES_OF_A_PART:
        return f"a part is longer than {MOST_BYTES_OF_A_PART} bytes"
    return ""


def _shown(path: str) -> str:
    return ascii(path if len(path) <= 80 else f"{path[:77]}...")
