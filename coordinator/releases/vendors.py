"""What vendors tell: their feeds, and the notes that lie beside them."""

from pathlib import Path

from agent.wire.versions import compares, is_older
from coordinator.releases.feed import (
    MOST_FEED,
    MOST_NOTES,
    Feed,
    FeedRelease,
    is_web_page,
    read_feed,
)
from coordinator.releases.source import FolderSource, NotGiven, Source
from coordinator.releases.web import WebSource
from coordinator.vendor_text import readable

_WEB = "https://"


def source_of(place: str) -> Source:
    """Return what is at an address, or in a folder, as `coordinator.toml` names it."""
    return WebSource(place) if place.startswith(_WEB) else FolderSource(Path(place))


def feed_of(app: str, place: str) -> tuple[Feed, Source]:
    """Return the feed of an app, read anew, and its source. Raises `Complaint`."""
    source = source_of(place)
    return read_feed(source.read("", MOST_FEED), app, source.where), source


def notes_of(release: FeedRelease, source: Source) -> str:
    """Return the notes of a release, fetched where they have a place of their own.

    Raises `Complaint`.
    """
    if not release.notes_url:
        return release.notes
    raw = source.read(release.notes_url, MOST_NOTES * 4)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or is_web_page(text) or len(text) > MOST_NOTES:
        page = "they are a web page"
        why = (
            page if is_web_page(text) else f"they are not up to {MOST_NOTES} letters of UTF-8 text"
        )
        raise NotGiven(
            f"cannot show the notes of {release.version}: {why}",
            f"read them in a browser: {release.notes_url}",
        )
    return readable(text)


def is_newer(version: str, installed: list[str], added: list[str]) -> bool:
    """True when a workstation has something older, and nothing as new was added.

    Where it is not known what workstations have, all that is newer than what was added is. One
    that cannot be compared is newer until it is added or installed.
    """
    if version in added or (not compares(version) and version in installed):
        return False
    if any(compares(a) and compares(version) and not is_older(a, version) for a in added):
        return False
    known = [one for one in installed if compares(one)]
    return not known or not compares(version) or any(is_older(one, version) for one in known)
