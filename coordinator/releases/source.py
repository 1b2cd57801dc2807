"""Where a vendor's feed and packages are read from: a folder here, on a share say, or the web.

SourceError
├── Away      no answer, or not the whole of it: what came is kept, try again later
└── NotGiven  what is there is not what was asked for: trying again would change nothing
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from coordinator.complaint import Complaint
from coordinator.releases.limit import in_time

FEED_FILE = "feed.json"
_SECONDS = 30.0  # to read a feed, or notes
CHUNK = 64 * 1024
"""How many bytes are read at once: what a cut costs at most."""


class SourceError(Complaint):
    """Nothing, or not all, could be read; says of what, why, and what to do."""


class Away(SourceError):  # noqa: N818 - reads better where it is caught
    """No answer came, or not the whole of it."""


class NotGiven(SourceError):  # noqa: N818
    """What was asked for is not there, or may not be read."""


@dataclass(frozen=True, slots=True)
class Body:
    """A content under way: where it really begins, and how long the whole is (None = unsaid)."""

    start: int
    total: int | None
    chunks: Iterator[bytes]  # raises `SourceError`


class Source(Protocol):
    """One vendor's place; `where` is its name for people."""

    where: str

    def read(self, place: str, most: int) -> bytes:
        """Return at most `most` bytes and one of what is there, "" = the feed itself.

        Raises `SourceError`.
        """

    def opened(self, place: str, start: int) -> AbstractContextManager[Body]:
        """Yield what is there from byte `start` on, or from 0. Raises `SourceError`."""


class FolderSource:
    """A folder; nothing outside it is ever read, whatever its feed says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.where = str(folder)

    def read(self, place: str, most: int) -> bytes:
        """Return at most `most` bytes and one of a file."""
        with _sorted(self._folder):
            return in_time(lambda: self._read(place or FEED_FILE, most + 1), _SECONDS)

    def _read(self, place: str, most: int) -> bytes:
        path = self._judged(place)
        with _sorted(path), _opened(path) as file:
            return file.read(most)

    @contextmanager
    def opened(self, place: str, start: int) -> Iterator[Body]:
        """Yield a file from byte `start` on."""
        path = self._judged(place)
        with contextlib.ExitStack() as stack:
            with _sorted(path):
                file = stack.enter_context(_opened(path))
                file.seek(start)
            yield Body(start, os.fstat(file.fileno()).st_size, _chunks(path, file))

    def _judged(self, place: str) -> Path:
        """Return the path that is meant. Raises `NotGiven` when it may lead out of the folder."""
        parts = PurePosixPath(place).parts
        leaves = not parts or place.startswith("/") or ".." in parts
        if leaves or "\\" in place or ":" in place or not place.isprintable():
            raise NotGiven(
                f"cannot read {place[:200]!a}: it must be a path below {self._folder}, as "
                "packages/app-1.2.zip",
                TELL_VENDOR,
            )
        path = self._folder
        for part in parts:
            path /= part
            if path.is_symlink():
                raise NotGiven(
                    f"cannot read {path}: it is a link, which may lead out of {self._folder}",
                    "put the file itself there",
                )
        return path


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Yield a plain file; nothing else is waited for."""
    number = os.open(path, os.O_RDONLY | _NO_LINK | _NO_WAIT)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise NotGiven(f"cannot read {path}: it is no plain file", TELL_VENDOR)
        yield file


_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _chunks(path: Path, file: BinaryIO) -> Iterator[bytes]:
    with _sorted(path):
        while chunk := file.read(CHUNK):
            yield chunk


@contextmanager
def _sorted(path: Path) -> Iterator[None]:
    """Turn what the system says inside into `SourceError`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotGiven(f"cannot read {path}: {error.strerror}", _LOOK) from None
    except TimeoutError:
        raise Away(f"cannot read {path}: it does not answer", _LOOK) from None
    except OSError as error:
        raise Away(f"cannot read {path}: {error.strerror}", _LOOK) from None


TELL_VENDOR = "tell the vendor, and give the file by hand: roundsman release add APP VERSION FILE"
_LOOK = "look whether the share is there, and readable for who runs roundsman serve"
