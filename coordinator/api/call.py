"""One request once it has been judged, and how it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Generic, TypeVar

from coordinator.api.asks import Ask
from coordinator.store.rows import OperatorRow

A = TypeVar("A", bound=Ask)


class Status(IntEnum):
    """Why something was refused, as HTTP says it."""

    BAD_REQUEST = 400
    WHO_ARE_YOU = 401
    NOT_ALLOWED = 403
    UNKNOWN = 404
    CONFLICT = 409
    BLOCKED = 412  # judged, and something speaks against it: a person is needed
    TOO_LONG = 413
    INVALID = 422
    ELSEWHERE = 502  # another's server is in the way
    NO_SPACE = 507


class Problem(Exception):  # noqa: N818 - reads better where it is raised
    """The request is refused, nothing was changed; `mend` is what to do about it."""

    def __init__(self, status: Status, error: str, mend: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """Who asks, what the path and the query name, and what was sent."""

    who: OperatorRow
    names: Mapping[str, str]
    options: Mapping[str, str]
    ask: A
    file: Path | None = None  # what was uploaded; deleted once the call is answered

    def number(self, option: str, default: int, most: int) -> int:
        """Return a whole number from the query. Raises `Problem`."""
        given = self.options.get(option, str(default))
        if not given.isdecimal() or len(given) > 18 or int(given) > most:
            raise Problem(Status.INVALID, f"{option}: must be a number from 0 to {most}")
        return int(given)
