"""docs/profile.md says what the reader of profiles knows, no more and no less."""

import re
import tomllib
from contextlib import suppress
from enum import StrEnum

import pytest

from agent.wire.profile import (
    ApplyKind,
    DataScope,
    ExitMeaning,
    ServiceManagerKind,
    Unattended,
    VersionKind,
    Windowless,
)
from agent.wire.profile_reader import SECTIONS, read_profile
from agent.wire.profile_values import BadValue, Field
from tests.house.source import ROOT

PAGE = (ROOT / "docs" / "profile.md").read_text("utf-8")
WORDS = (ApplyKind, DataScope, ServiceManagerKind, Unattended, VersionKind, Windowless)
NOTHING = ("", (), None)


def rows(heading: str) -> dict[str, list[str]]:
    """Return the rows of the table under a heading, by the key that each is about."""
    _, _, rest = PAGE.partition(f"\n## {heading}\n")
    cells = [line.strip("| ").split(" | ") for line in rest.partition("\n## ")[0].splitlines()]
    return {row[0].strip("`"): row[1:] for row in cells if row[0].startswith("`") and row[1:]}


def is_required(field: Field) -> bool:
    with suppress(BadValue):
        field.value({}, "key")
        return False
    return True


def test_the_page_has_every_section_and_no_other() -> None:
    assert re.findall(r"^## \[(.+)\]$", PAGE, re.MULTILINE) == list(SECTIONS)


@pytest.mark.parametrize("section", list(SECTIONS))
def test_the_page_has_every_key_of_a_section_and_no_other(section: str) -> None:
    assert list(rows(f"[{section}]")) == list(SECTIONS[section])


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section, keys in SECTIONS.items() for key in keys]
)
def test_the_page_says_what_a_key_is_when_it_is_not_given(section: str, key: str) -> None:
    field, said = SECTIONS[section][key], rows(f"[{section}]")[key][-1].strip("`")
    if said == "required":
        assert is_required(field)
    elif said == "none":
        assert not is_required(field)
        assert field.default in NOTHING
    else:
        assert field.read(tomllib.loads(f"value = {said}")["value"]) == field.default


def test_the_page_has_every_way_to_read_a_version() -> None:
    assert set(rows("Where a version is read")) == {*VersionKind, "pattern"}


@pytest.mark.parametrize("words", WORDS)
def test_the_page_names_every_word_that_a_key_may_have(words: type[StrEnum]) -> None:
    assert not [word for word in words if not re.search(rf'`"?{word.value}"?`', PAGE)]


def test_the_page_names_every_meaning_of_an_exit_code() -> None:
    said = rows("[apply]")["exit_codes"][0]
    assert not [
        m for m in ExitMeaning if m is not ExitMeaning.FAILED and f"`{m.value}`" not in said
    ]


def test_the_page_s_example_is_a_good_profile() -> None:
    example = re.search(r"```toml\n(.+?)```", PAGE, re.DOTALL)
    assert example
    assert read_profile(example[1], "docs/profile.md").name == "my-app"
