"""A person at a terminal looks for a release, reads of it, and has it fetched."""

import html.entities
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.api.asks import PackageAsk, ProfileAsk
from coordinator.cli.notes_page import page
from coordinator.cli.output import size
from tests.api.real import APP, PROFILE, RealOffice, make_zip
from tests.cli.terminal import Terminal
from tests.releases.vendor import Vendor, a_release, trusting

OWN = re.compile(r"\x1b\[[0-9;]*m")
"""What our own drawing may put on a terminal: colors and weights, and nothing else."""


class World:
    """An office, a vendor, and its package."""

    def __init__(self, office: RealOffice, vendor: Vendor, folder: Path) -> None:
        self.office = office
        self.vendor = vendor
        self.zip = make_zip(folder / "vendors.zip").read_bytes()
        office.feeds[APP] = f"{vendor.address}/feed.json"
        vendor.give(f"/{APP}.zip", self.zip, "application/zip")
        self.offer()

    def offer(self, version: str = "1.2", **changes: Any) -> None:
        release = a_release(version, self.zip, **changes)
        release["packages"][0]["url"] = f"{APP}.zip"
        self.vendor.feed(app=APP, releases=[release])


@pytest.fixture
def world(office: RealOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The office and its vendor, both up."""
    vendor = Vendor()
    monkeypatch.setenv("SSL_CERT_FILE", trusting(vendor, tmp_path))
    with vendor.open():
        yield World(office, vendor, tmp_path)


def test_from_the_feed_to_a_signed_release(
    world: World, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDSMAN_PASSPHRASE", "correct horse battery")
    world.offer(terms={"contract": True, "editions": ["pro"], "over": ">=1.0"})
    said = terminal(f"release find {APP}")
    assert said.code == 0
    assert "1.2" in said.out
    assert "2026-11-01" in said.out
    assert size(len(world.zip)) in said.out
    assert "What is new in 1.2" in said.out
    assert "for the editions pro only" in said.out
    assert f"next: roundsman release notes {APP} 1.2" in said.out
    assert terminal(f"release notes {APP} 1.2").out == "# What is new in 1.2\n"
    added = terminal(f"release add {APP} 1.2")
    assert (added.code, added.err) == (0, added.err)
    assert "fetched, and as the vendor's feed says" in added.out
    assert f"there is no profile of {APP} yet" in added.out
    assert "next: roundsman release sign" in added.out
    signed = terminal("release sign --yes")
    assert signed.code == 0
    assert "needs an update contract that had not ended" in signed.out
    assert "is put over versions >=1.0 only" in signed.out
    assert "nothing newer is offered" in terminal("release find").out
    assert "signed" in terminal("release find --all").out


def test_notes_of_a_version_nobody_knows_lead_to_those_there_are(
    world: World, terminal: Terminal
) -> None:
    assert f"roundsman release find {APP} --all" in terminal(f"release notes {APP} 9").err
    world.office.feeds.clear()
    assert f"roundsman release add {APP} 9 --notes FILE" in terminal(f"release notes {APP} 9").err


def test_programs_get_json(world: World, terminal: Terminal) -> None:
    (found,) = terminal("release find --json").json
    assert [release["version"] for release in found["releases"]] == ["1.2"]
    assert terminal(f"release notes {APP} 1.2 --json").json["notes"] == "# What is new in 1.2"
    assert terminal(f"release add {APP} 1.2 --json").json["state"] == "done"


def test_a_feed_that_cannot_be_read_ends_with_two_and_one_of_several_with_one(
    world: World, terminal: Terminal
) -> None:
    world.office.feeds["absent"] = "/nonexistent"
    said = terminal("release find")
    assert said.code == 1
    assert "error: cannot read /nonexistent/feed.json: No such file" in said.err
    assert "1.2" in said.out
    said = terminal("release find absent")
    assert said.code == 2
    assert said.err.startswith("error: cannot read /nonexistent/feed.json")
    assert "mend: look whether the share is there" in said.err
    assert terminal("release find nothing").code == 2


def test_a_download_that_fails_ends_with_one_and_says_why(
    world: World, terminal: Terminal
) -> None:
    world.vendor.give(f"/{APP}.zip", b"changed")
    said = terminal(f"release add {APP} 1.2")
    assert said.code == 1
    assert "not fetched: cannot use office-maker.zip: it has 7 bytes there" in said.out
    assert "ask the vendor" in said.out


def test_what_is_at_an_address_is_fetched_and_its_hash_shown(
    world: World, terminal: Terminal
) -> None:
    world.vendor.give("/beta.zip", world.zip)
    said = terminal(f"release add {APP} 1.3 {world.vendor.address}/beta.zip")
    assert said.code == 0
    assert re.search("SHA-256 +[0-9a-f]{64}, to be compared with the vendor's", said.out)
    said = terminal(f"release add {APP} 1.3 http://127.0.0.1/beta.zip")
    assert said.code == 2
    assert "must be an https address" in said.err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("terms.toml", 'editions = ["pro"]\n[[modules]]\nname = "printing"\nneeded = true\n'),
        (
            "day.toml",
            'released = 2026-11-15\neditions = ["pro"]\n'
            '[[modules]]\nname = "printing"\nneeded = true\n',
        ),
        ("terms.json", '{"editions": ["pro"], "modules": [{"name": "printing", "needed": true}]}'),
    ],
)
def test_terms_of_a_file_are_shown_before_they_are_signed(
    world: World,
    terminal: Terminal,
    tmp_path: Path,
    name: str,
    content: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROUNDSMAN_PASSPHRASE", "correct horse battery")
    (tmp_path / name).write_text(content)
    package = make_zip(tmp_path / "r.zip")
    said = terminal(f"release add {APP} 2.0 {package} --terms {tmp_path / name}")
    assert said.code == 0
    said = terminal("release sign --yes")
    assert "for the editions pro only" in said.out
    assert "module printing: any other installed one blocks the host" in said.out


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("terms.toml", "edition = ['pro']", "'edition': unknown; known are contract"),
        ("terms.toml", "{", "cannot use"),
        ("terms.json", "{", "cannot use"),
        ("terms.json", "[]", "must be an object"),
        ("terms.json", "[" * 50_000, "cannot use"),
        ("terms.toml", 'released = "soon"', "released: not of the expected form"),
    ],
)
@pytest.mark.usefixtures("office")
def test_terms_that_cannot_be_used_are_said_so_with_their_file(
    terminal: Terminal, tmp_path: Path, name: str, content: str, why: str
) -> None:
    (tmp_path / name).write_text(content)
    said = terminal(f"release add {APP} 2.0 x.zip --terms {tmp_path / name}")
    assert said.code == 2
    assert f"error: cannot use {tmp_path / name}: " in said.err
    assert why in said.err


HOSTILE = [
    "\x1b[2J\x1b[H\x1b[31mred",
    "\x1b]8;;javascript:alert(1)\x07here\x1b]8;;\x07",
    "\x1b]0;a new title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x9b2J \x9d0;x\x9c \x90q\x9c",
    "\x07\x08\x08\x08\x7f\r overwritten",
    "`\x1b[2J`",
    "```\n\x1b[2J\n```",
    "[\x1b[2J](https://vendor.example/\x1b[2J)",
    "| a |\n|---|\n| \x1b[2J |",
    "![\x1b[2J](x\x1b[2J)",
    "# \x1b[2J",
    "<b>\x1b[2J</b>",
    "safe\u202egnp.exe",
]
ENTITIES = [f"&#{n};" for n in range(160)] + [f"&#x{n:x};" for n in range(160)]
NAMED = [
    f"&{name.rstrip(';')};" for name, text in html.entities.html5.items() if not text.isprintable()
]


ALL_HOSTILE = [*HOSTILE, " ".join(ENTITIES), " ".join(NAMED)]


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the output taken for a terminal that can draw."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")


def _unseen(text: str) -> list[str]:
    return [c for c in text if not c.isprintable() and c != "\n"]


@pytest.mark.parametrize("text", ALL_HOSTILE)
def test_nothing_in_notes_steers_where_they_are_printed(text: str) -> None:
    plain = page(f"before\n\n{text}\n\nafter")
    assert _unseen(plain) == []
    assert plain.startswith("before\n\n")
    assert plain.endswith("\n\nafter")


@pytest.mark.parametrize("text", ALL_HOSTILE)
@pytest.mark.usefixtures("on_a_terminal")
def test_nothing_in_notes_steers_the_terminal_they_are_drawn_on(text: str) -> None:
    drawn = OWN.sub("", page(f"before\n\n{text}\n\nafter"))
    assert _unseen(drawn) == []
    assert "before" in drawn
    assert "after" in drawn


def test_nothing_in_a_feed_steers_the_terminal(world: World, terminal: Terminal) -> None:
    world.offer(notes="\n".join(HOSTILE))
    for words in ("release find", "release find --json", f"release notes {APP} 1.2"):
        said = terminal(words)
        assert said.code == 0
        assert _unseen(said.out) == []


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x"]
)
@pytest.mark.usefixtures("on_a_terminal")
def test_a_link_hides_nothing(address: str) -> None:
    notes = f"[our site]({address}) and [more](https://vendor.example/more) <{address}>"
    said = page(notes)
    assert "\x1b]8" not in said
    seen = OWN.sub("", said)
    assert "our site" in seen
    assert address in seen
    assert "https://vendor.example/more" in seen


def test_notes_are_drawn_on_a_terminal_only(on_a_terminal: None) -> None:
    drawn = page("# News\n\n* **Faster**")
    assert "**" not in drawn
    assert "\x1b[1m" in drawn


def test_a_picture_is_named_in_words(on_a_terminal: None) -> None:
    drawn = OWN.sub("", page("![our building](https://vendor.example/x.png) ![](y.png)"))
    assert drawn.strip() == "(picture: our building) (picture: y.png)"


def test_notes_are_printed_as_they_are_elsewhere(world: World, terminal: Terminal) -> None:
    world.offer(notes="# News\n\n* **Faster**")
    assert terminal(f"release notes {APP} 1.2").out == "# News\n\n* **Faster**\n"


def test_a_plan_shows_the_beginning_of_the_notes_and_where_the_rest_is(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    office.add_hosts(2)
    notes = "# Faster\x1b[2J\n\nMuch faster.\n" + "more\n" * 50
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        ask = PackageAsk(app=APP, version="1.1", notes=notes)
        client.add_package(ask, make_zip(tmp_path / "r.zip"))
    office.sign()
    said = terminal(f"plan {APP} 1.1 --within 7200").out
    assert "\x1b" not in said
    assert "Faster" in said
    assert f"all of them: roundsman release notes {APP} 1.1" in said
    assert "more\nmore" not in said
    assert json.loads(terminal(f"plan {APP} 1.1 --within 7200 --json").out)["notes"]
