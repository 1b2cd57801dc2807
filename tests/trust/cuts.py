"""Cuts a piece of work off before one of its writes, as a kill does: nothing of it is tidied."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_WRITES = {"os.rename", "os.remove"}  # how every file of ours comes to be, or goes


class Cut(BaseException):
    """The power went."""


@dataclass
class _Wire:
    """How many more writes there are until the cut; 0 = none is planned."""

    left: int = 0
    is_hooked: bool = False

    def heard(self, event: str, _arguments: object) -> None:
        if self.left and event in _WRITES:
            self.left -= 1
            if not self.left:
                raise Cut


_wire = _Wire()


@contextlib.contextmanager
def cut_before(write: int) -> Iterator[None]:
    """Raise `Cut` in what is done inside before its nth write, and swallow it outside."""
    if not _wire.is_hooked:
        sys.addaudithook(_wire.heard)
        _wire.is_hooked = True
    _wire.left = write
    try:
        yield
    except Cut:
        return
    finally:
        was_cut, _wire.left = not _wire.left, 0
    assert not was_cut
