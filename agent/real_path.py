"""Where a path really leads; refused when a link that an ordinary user made is on the way.

Links of the administrator (`/opt` on another disk) are followed, once, before a path is used;
from then on it is used as a `Spot`, in which no link is followed at all. A user who can put a
link where the app's folder was would else choose which folder the agent renames and deletes.
"""

import errno
import os
import stat
from pathlib import Path

_MOST_LINKS = 40


class ForeignLink(OSError):  # noqa: N818 - reads better where it is raised
    """A link on the way belongs neither to root nor to the agent's own user."""


def real_path(path: Path) -> Path:
    """Return an absolute path without links; what is not there is left as it is named.

    Raises `ForeignLink`, and `OSError` when a folder cannot be read or links lead in a circle.
    """
    here, left, links = Path(path.anchor), list(reversed(path.parts[1:])), 0
    while left:
        part = left.pop()
        here, further = _next(here, part)
        links += bool(further)
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, "links lead in a circle", str(path))
        left += reversed(further)
    return here


def _next(here: Path, part: str) -> tuple[Path, tuple[str, ...]]:
    """Return where `part` leads from `here`, and which parts are still to go, of a link."""
    if part == "..":
        return here.parent, ()
    step = here / part
    try:
        found = step.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return step, ()
    if not stat.S_ISLNK(found.st_mode):
        return step, ()
    if found.st_uid not in {0, os.geteuid()}:
        why = f'"{step}" is a link that belongs to user {found.st_uid}'
        raise ForeignLink(errno.EPERM, why, str(step))
    target = step.readlink()
    if target.is_absolute():
        return Path(target.anchor), target.parts[1:]
    return here, target.parts
