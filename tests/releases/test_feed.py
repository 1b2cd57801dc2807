"""What a feed may say, and what is said of one that cannot be used."""

import json
import random
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from agent.wire.terms import ModuleTerms, Terms
from coordinator.releases.feed import (
    MOST_FEED,
    MOST_NOTES,
    Feed,
    FeedPackage,
    FeedRelease,
    FeedTrouble,
    read_feed,
)
from tests.house.source import ROOT
from tests.releases.vendor import a_feed, a_release

SOURCE = "https://vendor.example/feed.json"


def _read(given: object) -> Feed:
    return read_feed(json.dumps(given).encode(), "my-app", SOURCE)


def _refused(raw: bytes, why: str) -> None:
    with pytest.raises(FeedTrouble, match=why) as caught:
        read_feed(raw, "my-app", SOURCE)
    assert caught.value.error.startswith(f"cannot use the feed of my-app at {SOURCE}: ")
    assert caught.value.error.isprintable()
    assert caught.value.mend


def test_a_good_feed_is_read_newest_first() -> None:
    versions = ["1.2", "1.10", "spring", "1.9", "autumn", "2.0rc1", "2.0"]
    feed = _read(a_feed(releases=[a_release(v) for v in versions], motto="ignored"))
    said = ["2.0", "2.0rc1", "1.10", "1.9", "1.2", "spring", "autumn"]
    assert [r.version for r in feed.releases] == said
    found = feed.release("1.10")
    assert found is not None
    assert (found.packages[0].url, found.size) == ("my-app-1.10.zip", 1)
    assert found.notes == "# What is new in 1.10"
    assert feed.release("3") is None


def test_the_example_in_the_documents_is_a_good_feed() -> None:
    text = (ROOT / "docs" / "feed.md").read_text("utf-8")
    example = text.split("```json")[1].split("```")[0]
    (release,) = read_feed(example.encode(), "my-app", SOURCE).releases
    assert release.terms.editions == ("pro", "team")
    assert release.terms.modules[0].updates == ">=1,<2.1"


@pytest.mark.parametrize("kind", [Feed, FeedRelease, FeedPackage, Terms, ModuleTerms])
def test_the_documents_name_every_field(kind: type) -> None:
    text = (ROOT / "docs" / "feed.md").read_text("utf-8")
    assert [f.name for f in fields(kind) if f"`{f.name}`" not in text] == []


def test_the_order_does_not_depend_on_the_feeds_own() -> None:
    releases = [a_release(f"1.{n}") for n in range(20)] + [a_release("x"), a_release("y")]
    expected = _read(a_feed(releases=releases))
    for seed in range(20):
        random.Random(seed).shuffle(releases)
        assert _read(a_feed(releases=releases)) == expected


def test_a_feed_may_be_empty_and_begin_with_a_mark() -> None:
    raw = b"\xef\xbb\xbf" + json.dumps(a_feed(releases=[])).encode()
    assert read_feed(raw, "my-app", SOURCE).releases == ()


def test_the_terms_are_read_and_carry_the_day_of_the_release() -> None:
    modules = [{"name": "printing", "works": ">=2", "needed": True}]
    terms = {"editions": ["pro"], "contract": True, "over": ">=1.0,<2", "modules": modules}
    found = _read(a_feed(releases=[a_release(terms=terms)])).releases[0].terms
    assert (found.released, found.editions, found.contract) == ("2026-11-01", ("pro",), True)
    assert found.modules == (ModuleTerms("printing", works=">=2", needed=True),)
    assert _read(a_feed()).releases[0].terms.released == "2026-11-01"


def test_notes_keep_their_lines_and_lose_what_steers_a_terminal() -> None:
    notes = "# News\r\n\r\n* \x1b[31mred\x1b[0m\n* \x1b]8;;file:///etc\x07x\u202egnp"
    found = _read(a_feed(releases=[a_release(notes=notes)])).releases[0]
    assert found.notes.split("\n")[:2] == ["# News", ""]
    assert "[31mred" in found.notes
    assert all(line.isprintable() for line in found.notes.split("\n"))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"  <!DOCTYPE html><title>Shop</title>", "this is a web page"),
        (b"\xef\xbb\xbf<html>", "this is a web page"),
        (b"[" * 100_000, "it is not JSON: too deep"),
        (b'{"app": "\xff"}', "it is not UTF-8 text, from byte 9 on"),
        ('{"app": 1}'.encode("utf-16"), "it is not UTF-8 text"),
        (b" " * (MOST_FEED + 1), "it is longer than"),
        (b'{"format": NaN}', "NaN is no number"),
        (b'{"format": 1, "format": 1}', "a key stands twice"),
        (b'{"format": ' + b"9" * 5000 + b"}", "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
    ],
)
def test_what_is_no_feed_is_said_so(raw: bytes, why: str) -> None:
    _refused(raw, why)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": 2}, "format: 2; this Roundsman reads format 1"),
        ({"format": "1"}, "format: '1'; this Roundsman"),
        ({"format": None}, "format: None"),
        ({"app": "other-app"}, "app: it is the feed of 'other-app'"),
        ({"app": "\x1b[2J"}, "app: it is the feed of"),
        ({"app": ["my-app"]}, "app: it is the feed of"),
        ({"releases": {}}, "releases: must be a list"),
        ({"releases": None}, "releases: must be a list"),
        ({"releases": [a_release(f"1.{n}") for n in range(201)]}, "at most 200"),
        ({"releases": ["1.2"]}, r"releases\[0\]: not an object"),
        ({"releases": [a_release("1.2"), a_release("1.2")]}, "version 1.2 stands there twice"),
        ({"releases": [a_release("1.2"), a_release("1.2.0")]}, "stands there twice"),
        ({"releases": [a_release("a"), a_release("a")]}, "version a stands there twice"),
    ],
)
def test_a_feed_that_cannot_be_used_says_why(changes: dict[str, Any], why: str) -> None:
    _refused(json.dumps(a_feed(**changes)).encode(), why)


def _package(**changes: Any) -> dict[str, Any]:
    packages: list[dict[str, Any]] = a_release()["packages"]
    return packages[0] | changes


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": ""}, r"releases\[0\]: version: not of the expected form"),
        ({"version": "1.2 beta"}, "version: not of the expected form"),
        ({"version": "../../1.2"}, "version: not of the expected form"),
        ({"version": "1.2\x1b[2J"}, "version: longer than 64, or not printable"),
        ({"version": "1" * 65}, "version: longer than 64"),
        ({"version": 1.2}, "version: not a str"),
        ({"version": None}, "version: not a str"),
        ({"released": ""}, "release 1.2: released: '' is no day"),
        ({"released": "2026-02-30"}, "released: '2026-02-30' is no day"),
        ({"released": "yesterday"}, "released: not of the expected form"),
        ({"notes": 7}, "release 1.2: notes: must be a text"),
        ({"notes": "x" * (MOST_NOTES + 1)}, "notes: must be a text of at most"),
        ({"notes_url": "notes.md"}, "notes: and notes_url: one of the two"),
        ({"notes_url": "\n"}, "notes_url: longer than 2000, or not printable"),
        ({"packages": []}, "release 1.2: packages: none"),
        ({"packages": {}}, "packages: not a list"),
        ({"packages": [_package()] * 2}, "packages: two for workstation on linux"),
        ({"packages": [_package(system=f"s{n}") for n in range(21)]}, "at most 20"),
        ({"packages": [_package(role="Work Station")]}, r"packages\[0\].role: not of the"),
        ({"packages": [_package(system="")]}, r"packages\[0\].system: not of the"),
        ({"packages": [_package(size=0)]}, r"packages\[0\].size: not within 1 to"),
        ({"packages": [_package(size=2**40)]}, "size: not within"),
        ({"packages": [_package(size=1.0)]}, "size: not a int"),
        ({"packages": [_package(size=True)]}, "size: not a int"),
        ({"packages": [_package(sha256="x" * 64)]}, "sha256: not of the expected form"),
        ({"packages": [_package(url="")]}, "url: not of the expected form"),
        ({"packages": [_package(url="a b")]}, "url: not of the expected form"),
        ({"packages": [_package(url="x" * 2001)]}, "url: longer than 2000"),
        ({"terms": []}, "terms: the terms must be an object"),
        ({"terms": {"edition": ["pro"]}}, "terms: 'edition': unknown; known are contract"),
        ({"terms": {"contract": "yes"}}, "terms: contract: not a bool"),
        ({"terms": {"over": ">=one"}}, "terms: over: '>=one' is no range"),
        ({"terms": {"released": "2026-11-02"}}, "terms: released: 2026-11-02, and the release"),
        ({"terms": {"released": "2026-13-01"}}, "terms: released: '2026-13-01' is no day"),
        ({"terms": {"modules": [{"name": "a b"}]}}, r"terms: modules\[0\].name: not of the"),
        ({"terms": {"modules": [{"name": "a", "work": ""}]}}, r"modules\[0\].'work': unknown"),
        ({"terms": {"modules": [{"name": "a", "works": "~"}]}}, "module a: works: '~' is no"),
        ({"terms": {"modules": [7]}}, r"modules\[0\]: not an object"),
        ({"terms": {"modules": 7}}, "modules: not a list"),
    ],
)
def test_a_release_that_cannot_be_used_says_which_and_why(
    changes: dict[str, Any], why: str
) -> None:
    _refused(json.dumps(a_feed(releases=[a_release(**changes)])).encode(), why)


@pytest.mark.parametrize("missing", ["version", "released", "packages"])
def test_what_a_release_lacks_is_named(missing: str) -> None:
    release = a_release()
    del release[missing]
    _refused(json.dumps(a_feed(releases=[release])).encode(), f"{missing}: missing")


def _cut(raw: bytearray, dice: random.Random) -> None:
    del raw[dice.randrange(len(raw)) :]


def _flip(raw: bytearray, dice: random.Random) -> None:
    raw[dice.randrange(len(raw))] = dice.randrange(256)


def _double(raw: bytearray, dice: random.Random) -> None:
    place = dice.randrange(len(raw))
    raw[place:place] = raw[place : place + 40]


@pytest.mark.parametrize("spoil", [_cut, _flip, _double])
def test_a_spoiled_feed_is_read_or_refused_in_words(
    spoil: Callable[[bytearray, random.Random], None],
) -> None:
    terms = {"editions": ["pro"], "modules": [{"name": "printing", "works": ">=2"}]}
    good = json.dumps(a_feed(releases=[a_release(terms=terms), a_release("1.3")])).encode()
    for seed in range(400):
        raw, dice = bytearray(good), random.Random(seed)
        spoil(raw, dice)
        assert _complaint(bytes(raw)).isprintable()


def _complaint(raw: bytes) -> str:
    try:
        return read_feed(raw, "my-app", SOURCE).app
    except FeedTrouble as error:
        return error.error
