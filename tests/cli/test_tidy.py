"""`roundsman tidy`, as a person sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.keep_settings import read_keep
from coordinator.model import Keep
from coordinator.settings import Settings, SettingsError, read_settings, write_settings
from tests.api.real import APP, copy_home
from tests.api.stores import Filled, long_used
from tests.cli.terminal import Terminal


@pytest.fixture
def made(template: Path, tmp_path: Path) -> Iterator[Filled]:
    """An office with a release that was withdrawn, and one on offer, long ago."""
    office = copy_home(template, tmp_path)
    office.keep = Keep(days=90, releases=1)
    with office.open():
        yield long_used(office, tmp_path)


def test_what_would_go_is_shown_with_its_size_and_then_it_goes(
    made: Filled, terminal: Terminal
) -> None:
    before = made.files()
    told = terminal("tidy --dry-run")
    assert told.code == 0, told.err
    assert "would be freed" in told.out
    assert f"{APP} 1.0" in told.out
    assert "90 days, and the last release of each app" in told.out
    assert f"roundsman release withdraw {APP} 1.1" in told.out
    assert made.files() == before
    done = terminal("tidy")
    rows = [line for line in told.out.splitlines() if line.startswith(("packages", "files of"))]
    assert len(rows) == 2
    assert all(row in done.out for row in rows)
    assert "would be" not in done.out
    assert made.files() != before
    assert "Nothing: all of it is needed or young." in terminal("tidy").out


def test_programs_are_told_the_same(made: Filled, terminal: Terminal) -> None:
    told, done = terminal("tidy --dry-run --json").json, terminal("tidy --json").json
    assert (told["dry_run"], done["dry_run"]) == (True, False)
    assert told["gone"] == done["gone"]
    assert told["releases"] == done["releases"] == [f"{APP} 1.0"]
    assert made.broken() == []


def test_what_is_damaged_is_told_and_nothing_goes(made: Filled, terminal: Terminal) -> None:
    (one, _) = made.manifests()
    (made.office.packages.blobs.folder("lists") / one.content_sha256).write_bytes(b"{")
    said = terminal("tidy")
    assert said.code == 2
    assert "error: cannot tidy up: " in said.err
    assert "mend: put that file back from your backup" in said.err


# -- how much stays, as coordinator.toml says ----------------------------------------------


def test_the_defaults_stand_in_the_file_that_init_writes(tmp_path: Path) -> None:
    write_settings(Settings(home=tmp_path))
    text = (tmp_path / "coordinator.toml").read_text()
    assert "\n[keep]" in text
    assert "\ndays = 90\nreleases = 3\n" in text
    assert read_settings(tmp_path).keep == Keep(90, 3)


def test_what_is_set_is_read_back(tmp_path: Path) -> None:
    write_settings(Settings(home=tmp_path, keep=Keep(7, 1), feeds={"a": "https://a.example/f"}))
    assert read_settings(tmp_path).keep == Keep(7, 1)


@pytest.mark.parametrize(
    ("value", "kept"),
    [({}, Keep()), ({"days": 1}, Keep(1, 3)), ({"releases": 100}, Keep(90, 100))],
)
def test_what_is_left_out_is_as_usual(value: object, kept: Keep) -> None:
    assert read_keep(value) == kept


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("keep = 3", "keep: must be a section, [keep], with days and releases"),
        ("[keep]\nyears = 3", "keep: must be a section, [keep], with days and releases"),
        ("[keep]\ndays = 0", "keep: days: must be a number from 1 to 3650"),
        ("[keep]\ndays = 3651", "keep: days: must be a number from 1 to 3650"),
        ("[keep]\ndays = true", "keep: days: must be a number from 1 to 3650"),
        ('[keep]\ndays = "9"', "keep: days: must be a number from 1 to 3650"),
        ("[keep]\nreleases = 0", "keep: releases: must be a number from 1 to 100"),
        ("[keep]\nreleases = 1.5", "keep: releases: must be a number from 1 to 100"),
    ],
)
def test_what_cannot_be_set_is_said_with_file_and_key(tmp_path: Path, said: str, why: str) -> None:
    file = tmp_path / "coordinator.toml"
    file.write_text(said)
    with pytest.raises(SettingsError) as error:
        read_settings(tmp_path)
    assert str(error.value.error) == f"cannot use {file}: {why}"
