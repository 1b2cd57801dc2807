"""One operator's line to the coordinator: what is sent and read over it, and what goes wrong.

Every call raises `Complaint` with what to do when the coordinator cannot be reached, is not
ours, or says no.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from agent.wire.https import Https
from agent.wire.https_errors import HttpsError, Refused, Unreachable, WrongServer
from coordinator.access import Access
from coordinator.api.asks import PREFIX, Ask
from coordinator.api.schemas import Answer
from coordinator.complaint import Blocked, Complaint

_SECONDS = 120.0  # a doctor asks every host before it answers
_BLOCKED = 412
V = TypeVar("V", bound=Answer)


class Silent(Complaint):
    """The coordinator does not answer; it may have heard, or not."""


class Line:
    """One line; close it at the end."""

    def __init__(self, access: Access, seconds: float = _SECONDS) -> None:
        self.address = access.address
        headers = {"Authorization": f"Bearer {access.token}"}
        try:
            self._https = Https(access.address, access.ca, headers, seconds=seconds)
        except (OSError, ValueError) as error:
            raise Complaint(
                f"cannot use {access.ca} or the address {access.address}: {error}",
                "compare them with the coordinator's; roundsman init or login writes them",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the line."""
        self._https.close()

    def _get(self, kind: type[V], path: str, **options: object) -> V:
        return read(kind, self._said(path, None, **options))

    def _list(self, kind: type[V], path: str, **options: object) -> list[V]:
        return read_list(kind, self._said(path, None, **options))

    def _post(self, kind: type[V], path: str, ask: Ask) -> V:
        return read(kind, self._said(path, ask))

    def _said(self, path: str, ask: Ask | None, **options: object) -> Any:
        given = {key: value for key, value in options.items() if value != ""}
        whole = PREFIX + path + (f"?{urlencode(given)}" if given else "")
        with self._sorted():
            if ask is None:
                return self._https.get_json(whole)
            return self._https.post_json(whole, ask.model_dump(mode="json"))

    @contextlib.contextmanager
    def _sorted(self) -> Iterator[None]:
        """Turn what goes wrong inside into `Complaint`."""
        try:
            yield
        except Refused as error:
            kind = Blocked if error.status == _BLOCKED else Complaint
            raise kind(str(error), error.mend) from None
        except Unreachable as error:
            raise Silent(str(error), "on the coordinator: roundsman serve") from None
        except WrongServer as error:
            raise Complaint(str(error), "do nothing until a person has looked") from None
        except HttpsError as error:
            raise Complaint(str(error), "check that both ends are of the same release") from None


@contextlib.contextmanager
def opened(file: Path) -> Iterator[Any]:
    """Yield a file of this PC. Raises `Complaint`."""
    try:
        content = file.open("rb")
    except OSError as error:
        raise Complaint(f"cannot read {file}: {error.strerror}") from None
    with content:
        yield content


def path_of(*parts: str) -> str:
    """Return a path of these parts, each quoted."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def read(kind: type[V], said: Any) -> V:
    """Return what was answered, as one view. Raises `Complaint`."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        raise Complaint(
            f"cannot understand the coordinator's answer: {error.error_count()} values are not "
            f"as expected in {kind.__name__}",
            "check that both ends are of the same release",
        ) from None


def read_list(kind: type[V], said: Any) -> list[V]:
    """Return what was answered, as a list of views. Raises `Complaint`."""
    if not isinstance(said, list):
        return [read(kind, said)]
    return [read(kind, item) for item in said]
