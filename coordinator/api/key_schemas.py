"""The JSON that operators' programs send and see of the keys that sign releases."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from coordinator.api.asks import Ask
from coordinator.api.schemas import Answer, FindingView, ProgressView

RootText = Annotated[str, StringConstraints(max_length=200_000)]
ListText = Annotated[str, StringConstraints(max_length=4_000_000)]


class ChangeAsk(Ask):
    """A change of keys: the roots to come, in order, and the list signed for them."""

    roots: Annotated[list[RootText], Field(min_length=1, max_length=2)]
    targets: ListText = ""


class ChangeView(Answer):
    """A change of keys that waits for signatures."""

    roots: list[str]
    targets: str
    progress: ProgressView


class RoleView(Answer):
    """What one kind of signed metadata is for, which keys sign it, and until when it is good."""

    role: str
    fingerprints: list[str]
    threshold: int
    expires: float


class KeysView(Answer):
    """The keys of the fleet."""

    roles: list[RoleView]
    endings: list[FindingView]  # what expires within 30 days, or has
    roots: list[str]  # every one there was; the last is the present one
    targets: str
    change: ChangeView | None = None

    @property
    def root(self) -> str:
        """The present root."""
        return self.roots[-1]


class OnlineKeyView(Answer):
    """The public half of the online key to come."""

    fingerprint: str
    key: dict[str, Any]


class MadeKeyView(Answer):
    """A key that was made just now: where it is, and its recovery sheets."""

    fingerprint: str
    folder: str
    sheets: list[str]


class CeremonyView(Answer):
    """What became of a change of keys, and the keys that were made for it."""

    made: list[MadeKeyView]
    progress: ProgressView
