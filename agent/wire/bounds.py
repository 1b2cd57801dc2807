"""How large a field of the contract may be. Written beside each field, enforced by the codec."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """At most `most` characters; the whole text matches `pattern` when one is given."""

    most: int
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, both ends included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number, both ends included."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Entries:
    """At most `most` entries; for a dict, the longest key and the longest value."""

    most: int
    key: int = 0
    value: int = 0
