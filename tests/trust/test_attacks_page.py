"""docs/attacks.md names tests that exist, and leaves no row out."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "attacks.md").read_text("utf-8")
STOLEN = "tests/trust/test_stolen_coordinator.py"
NAMED = sorted(set(re.findall(r"`(tests/\S+\.py)::(test_\w+)`", PAGE)))
BARE = sorted(set(re.findall(r"`(test_\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), [*NAMED, *((STOLEN, name) for name in BARE)])
def test_each_test_that_is_named_exists(file: str, name: str) -> None:
    assert f"def {name}(" in (PROJECT / file).read_text("utf-8")


@pytest.mark.parametrize("row", [f"T{number}" for number in (*range(11, 20), 23, 24, 25, 29)])
def test_each_row_has_its_tests(row: str) -> None:
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| {row} |"))
    assert "::test_" in line


def test_each_test_of_a_stolen_coordinator_is_on_the_page() -> None:
    there = set(re.findall(r"^def (test_\w+)\(", (PROJECT / STOLEN).read_text("utf-8"), re.M))
    controls = {
        "test_no_key_in_the_home_is_one_that_signs_releases",
        "test_the_same_list_is_accepted_once_the_signing_key_has_signed_it",
    }
    assert there - controls == set(BARE)
