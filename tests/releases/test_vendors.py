"""What is newer, and what a vendor says of it."""

from pathlib import Path

import pytest

from coordinator.complaint import Complaint
from coordinator.releases.feed import MOST_NOTES, FeedRelease
from coordinator.releases.source import FolderSource
from coordinator.releases.vendors import feed_of, is_newer, notes_of
from tests.releases.vendor import Vendor


@pytest.mark.parametrize(
    ("version", "installed", "added", "newer"),
    [
        ("1.2", ["1.1"], [], True),
        ("1.2", ["1.1", "1.2"], [], True),  # one workstation is behind
        ("1.2", ["1.2"], [], False),
        ("1.2", ["1.3"], [], False),
        ("1.10", ["1.9"], [], True),
        ("1.2", ["1.1"], ["1.2"], False),
        ("1.2", ["1.1"], ["1.2.0"], False),
        ("1.2", ["1.1"], ["1.3"], False),
        ("1.2", ["1.0"], ["1.1"], True),
        ("1.2", [], [], True),
        ("1.2", [], ["1.1"], True),
        ("1.2", ["spring"], ["winter"], True),
        ("autumn", ["spring"], [], True),
        ("autumn", ["autumn"], [], False),
        ("autumn", ["1.0"], ["1.0"], True),
        ("autumn", [], ["autumn"], False),
        ("2.0rc1", ["1.9"], [], True),
        ("2.0", ["2.0rc1"], [], True),
    ],
)
def test_newer_is_what_some_workstation_lacks_and_nobody_added(
    version: str, installed: list[str], added: list[str], newer: bool
) -> None:
    assert is_newer(version, installed, added) is newer


def _release(place: str) -> FeedRelease:
    return FeedRelease("1.2", "2026-11-01", (), place)


def test_notes_may_lie_beside_the_feed(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_bytes(b"\xef\xbb\xbf# News\r\n\x1b[2J\r\n")
    notes = notes_of(_release("notes.md"), FolderSource(tmp_path))
    assert notes.split("\n")[0] == "# News"
    assert "\x1b" not in notes


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "they are not up to"),
        (b"\xff\xfe\x00", "they are not up to"),
        (b"x" * (MOST_NOTES + 1), "they are not up to"),
        (b"x" * (MOST_NOTES * 5), "they are not up to"),
        (b"\n<!DOCTYPE html><p>Hello", "they are a web page"),
    ],
)
def test_notes_that_cannot_be_shown_say_where_they_are(
    tmp_path: Path, raw: bytes, why: str
) -> None:
    (tmp_path / "notes.md").write_bytes(raw)
    with pytest.raises(Complaint, match=why) as caught:
        notes_of(_release("notes.md"), FolderSource(tmp_path))
    assert "notes.md" in caught.value.mend


def test_a_feed_is_read_from_an_address(vendor: Vendor) -> None:
    vendor.feed()
    feed, source = feed_of("my-app", f"{vendor.address}/feed.json")
    assert [release.version for release in feed.releases] == ["1.2"]
    assert source.where == f"{vendor.address}/feed.json"


def test_a_web_page_instead_of_a_feed_is_said_so(vendor: Vendor) -> None:
    vendor.give("/feed.json", b"<!doctype html><title>Log in</title>", "text/html")
    with pytest.raises(Complaint, match="this is a web page, not a feed"):
        feed_of("my-app", f"{vendor.address}/feed.json")


def test_a_huge_feed_is_said_so(vendor: Vendor) -> None:
    vendor.give("/feed.json", b" " * 3_000_000)
    with pytest.raises(Complaint, match="it is longer than 2097152 bytes"):
        feed_of("my-app", f"{vendor.address}/feed.json")
