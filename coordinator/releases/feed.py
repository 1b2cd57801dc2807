"""A vendor's feed: which releases there are, where their packages are, and on what terms.

Pure: bytes in, a `Feed` out, newest release first, or `FeedTrouble` saying what is wrong with it.
The form is described in docs/feed.md; nothing of it is believed beyond its bounds.
"""

import functools
import itertools
import json
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

from agent.wire.bounds import Entries, Text, Whole
from agent.wire.codec import BadMessage, decode
from agent.wire.contract import Sha256
from agent.wire.terms import NO_TERMS, Day, Terms
from agent.wire.versions import compares, is_older
from coordinator.complaint import Complaint
from coordinator.terms import read_day, read_terms
from coordinator.vendor_text import on_one_line, readable

FORMAT = 1
MOST_FEED = 2 * 2**20
"""The longest feed that is read, in bytes."""
MOST_NOTES = 20_000
"""The longest notes of one release, in characters."""
MOST_PACKAGE = 64 * 2**30
"""The largest package, in bytes."""
_WEB_PAGES = ("<!doctype html", "<html", "<head", "<body")

_Version = Annotated[str, Text(64, r"[0-9A-Za-z][0-9A-Za-z.+_~-]*")]
_Word = Annotated[str, Text(60, r"[a-z0-9][a-z0-9-]*")]
_Place = Annotated[str, Text(2000)]


class FeedTrouble(Complaint):
    """A feed, or what it leads to, cannot be used; says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class FeedPackage:
    """One package of a release: for which hosts, where it is, and what must come from there."""

    role: _Word
    system: _Word
    url: Annotated[str, Text(2000, r"\S+")]
    size: Annotated[int, Whole(1, MOST_PACKAGE)]  # bytes
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class FeedRelease:
    """One release; its notes are here, or at an address of their own, or nowhere."""

    version: _Version
    released: Day
    packages: Annotated[tuple[FeedPackage, ...], Entries(20)]
    notes_url: _Place = ""
    notes: str = ""  # Markdown, several lines; judged by `_notes`
    terms: Terms = NO_TERMS  # judged by `read_terms`

    @property
    def size(self) -> int:
        """How many bytes all its packages have."""
        return sum(package.size for package in self.packages)


@dataclass(frozen=True, slots=True)
class Feed:
    """All that a vendor offers of one app, newest first."""

    app: str
    releases: tuple[FeedRelease, ...]

    def release(self, version: str) -> FeedRelease | None:
        """Return the release of a version."""
        return next((r for r in self.releases if r.version == version), None)


MOST_RELEASES = 200
_BY_HAND = "tell the vendor; meanwhile roundsman release add {app} VERSION FILE"
_NO_FEED = (
    "look for the address of the feed itself at the vendor's, and write it below [feeds] in "
    "coordinator.toml"
)


def read_feed(raw: bytes, app: str, source: str) -> Feed:
    """Return the feed that `source` gave for an app. Raises `FeedTrouble`."""
    given = _json(raw, app, source)
    try:
        return _feed(given, app)
    except (BadMessage, ValueError) as error:
        raise trouble(app, source, on_one_line(str(error)), _BY_HAND.format(app=app)) from None


def trouble(app: str, source: str, why: str, mend: str) -> FeedTrouble:
    """Return what is said when the feed of an app cannot be used."""
    return FeedTrouble(f"cannot use the feed of {app} at {source}: {why}", mend)


def _json(raw: bytes, app: str, source: str) -> Any:
    if len(raw) > MOST_FEED:
        raise trouble(app, source, f"it is longer than {MOST_FEED} bytes", _NO_FEED)
    try:
        text = raw.decode("utf-8-sig")
        if is_web_page(text):
            raise trouble(app, source, "this is a web page, not a feed", _NO_FEED)
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        why = f"it is not UTF-8 text, from byte {error.start} on"
    except RecursionError:
        why = "it is not JSON: too deep"
    except ValueError as error:
        why = f"it is not JSON: {on_one_line(str(error))}"
    raise trouble(app, source, why, _BY_HAND.format(app=app))


def is_web_page(text: str) -> bool:
    """True for what a browser would show: a vendor's page for logging in, say."""
    return text.lstrip()[:20].lower().startswith(_WEB_PAGES)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _feed(given: Any, app: str) -> Feed:
    if not isinstance(given, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    if given.get("format") != FORMAT:
        said = on_one_line(repr(given.get("format")), 40)
        raise ValueError(f"format: {said}; this Roundsman reads format {FORMAT}")
    if given.get("app") != app:
        said = on_one_line(repr(given.get("app")), 60)
        raise ValueError(f"app: it is the feed of {said}")
    releases = given.get("releases")
    if not isinstance(releases, list) or len(releases) > MOST_RELEASES:
        raise ValueError(f"releases: must be a list of at most {MOST_RELEASES}")
    return Feed(app, _in_order([_release(item, n) for n, item in enumerate(releases)]))


_RELEASE_FIELDS = {field.name for field in fields(FeedRelease)} - {"notes", "terms"}


def _release(given: Any, place: int) -> FeedRelease:
    if not isinstance(given, dict):
        raise ValueError(f"releases[{place}]: not an object")  # noqa: TRY004
    where = f"releases[{place}]"
    try:
        plain = decode(FeedRelease, {k: given[k] for k in _RELEASE_FIELDS if k in given})
        where = f"release {plain.version}"
        read_day(plain.released, "released")
        _refuse_twins(plain.packages)
        notes, terms = _notes(given), _terms(given, plain.released)
    except ValueError as error:
        said = str(error).removeprefix("FeedRelease.")
        raise ValueError(f"{where}: {said}") from None
    return replace(plain, notes=notes, terms=terms)


def _notes(given: dict[str, Any]) -> str:
    notes = given.get("notes", "")
    if not isinstance(notes, str) or len(notes) > MOST_NOTES:
        raise ValueError(f"notes: must be a text of at most {MOST_NOTES} characters")
    if notes and given.get("notes_url"):
        raise ValueError("notes: and notes_url: one of the two only")
    return readable(notes)


def _terms(given: dict[str, Any], released: str) -> Terms:
    try:
        terms = read_terms(given.get("terms", {}))
    except ValueError as error:
        raise ValueError(f"terms: {error}") from None
    if terms.released not in {"", released}:
        raise ValueError(f"terms: released: {terms.released}, and the release says {released}")
    return replace(terms, released=released)


def _refuse_twins(packages: tuple[FeedPackage, ...]) -> None:
    if not packages:
        raise ValueError("packages: none")
    places = [(package.role, package.system) for package in packages]
    for role, system in places:
        if places.count((role, system)) > 1:
            raise ValueError(f"packages: two for {role} on {system}")


def _in_order(releases: list[FeedRelease]) -> tuple[FeedRelease, ...]:
    """Return the newest first; those whose versions cannot be compared last, by their day."""
    numbered = sorted((r for r in releases if compares(r.version)), key=_by_version, reverse=True)
    others = sorted(
        (r for r in releases if not compares(r.version)),
        key=lambda r: (r.released, r.version),
        reverse=True,
    )
    _refuse_same(numbered, others)
    return (*numbered, *others)


def _refuse_same(numbered: list[FeedRelease], others: list[FeedRelease]) -> None:
    same = [a for a, b in itertools.pairwise(numbered) if not _differ(a, b)]
    names = [r.version for r in others]
    same += [r for r in others if names.count(r.version) > 1]
    if same:
        raise ValueError(f"releases: version {same[0].version} stands there twice")


def _differ(one: FeedRelease, other: FeedRelease) -> bool:
    return is_older(one.version, other.version) or is_older(other.version, one.version)


@functools.cmp_to_key
def _by_version(one: FeedRelease, other: FeedRelease) -> int:
    return int(is_older(other.version, one.version)) - int(is_older(one.version, other.version))
