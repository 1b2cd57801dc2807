"""Where somebody in the demo has unsaved work: a folder in the home of whoever runs it.

An agent looks for what an app has saved by itself below its user's home and nowhere else, and
everybody in the demo is that one user. So there is a folder of its own there while the demo runs.
"""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Drafts:
    """The folder; `pattern` finds what is in it from the home, "" where no home is at hand."""

    folder: Path
    pattern: str = ""


@contextmanager
def drafts_folder(otherwise: Path, home: Path | None) -> Iterator[Drafts]:
    """Yield where unsaved work goes, gone at the end; `otherwise` when the home takes none."""
    made = _made_in(home) if home else None
    try:
        yield Drafts(made, f"{made.name}/**") if made else Drafts(otherwise)
    finally:
        if made:
            shutil.rmtree(made, ignore_errors=True)


def own_home() -> Path | None:
    """Return the home of whoever runs this, as the system names it; None when it knows of none."""
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return None


def _made_in(home: Path) -> Path | None:
    try:
        return Path(tempfile.mkdtemp(prefix=".roundsman-demo-", dir=home))
    except OSError:
        return None
