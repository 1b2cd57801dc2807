"""Who has signed something, and whether that is enough. Pure.

A signature counts when it is right and made with a key of the role; the same key counts once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets, VerificationResult

S = TypeVar("S", Root, Targets)


class NotPublished(Exception):  # noqa: N818 - reads better where it is caught
    """What was handed in is not taken, and nothing was changed; the text says why."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the signatures of something have come."""

    signed: tuple[str, ...]  # the fingerprints whose signatures count
    threshold: int
    missing: int
    may_sign: tuple[str, ...]  # whose signature would bring it further
    published: bool = False

    @property
    def done(self) -> int:
        """How many of the signatures that are needed are there."""
        return self.threshold - self.missing


def parsed(kind: type[S], raw: bytes) -> Metadata[S]:
    """Return signed metadata of one kind. Raises `NotPublished`."""
    try:
        metadata = Metadata[Any].from_bytes(raw)
    except (RepositoryError, ValueError):
        metadata = None
    if metadata is None or not isinstance(metadata.signed, kind):
        what = {"root": "root", "targets": "list of targets"}.get(kind.type, kind.type)
        raise NotPublished(f"cannot publish: this is no signed {what}")
    return metadata


def standing(metadata: Metadata[S], role: str, judges: Iterable[Root]) -> list[VerificationResult]:
    """Return, for each root that judges it, which of the role's keys have signed."""
    return [
        judge.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        for judge in judges
    ]


def counted(metadata: Metadata[S], found: list[VerificationResult]) -> bytes:
    """Return signed metadata with those of its signatures that count, and no others."""
    valid = {keyid for result in found for keyid in result.signed}
    metadata.signatures = {k: s for k, s in metadata.signatures.items() if k in valid}
    return metadata.to_bytes()


def together(kept: Metadata[S] | None, come: Metadata[S]) -> Metadata[S]:
    """Return what came, with the signatures of both when they say the same."""
    if kept is None or kept.signed_bytes != come.signed_bytes:
        return come
    return Metadata(come.signed, {**come.signatures, **kept.signatures})


def is_worthless(kept: Metadata[S] | None, come: Metadata[S], reached: Progress) -> bool:
    """True when nothing counts, or when what came adds signatures and none of them does."""
    new = set(come.signatures) - set(kept.signatures if kept else ())
    return not reached.signed or (bool(new) and not new & set(reached.signed))


def progress(found: Sequence[VerificationResult]) -> Progress:
    """Return how far it has come where most is missing."""
    worst = max(found, key=lambda result: result.missing)
    signed = {keyid for result in found for keyid in result.signed}
    may_sign = tuple(sorted(worst.unsigned)) if worst.missing else ()
    return Progress(tuple(sorted(signed)), worst.threshold, worst.missing, may_sign)
