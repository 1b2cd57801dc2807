"""Versions are compared as numbers, and what cannot be compared speaks against nothing."""

import pytest

from agent.wire.versions import compares, is_in, is_older, is_range


@pytest.mark.parametrize(
    ("version", "other", "older"),
    [
        ("2.9", "2.10", True),
        ("2.10", "2.9", False),
        ("2.1", "2.1.0", False),
        ("2.1rc1", "2.1", True),
        ("7.4.0.9", "7.4.0.11", True),
        ("26-spring", "27", False),
        ("2.0", "spring", False),
        ("", "1.0", False),
        ("1.0", "", False),
    ],
)
def test_a_version_is_older_by_its_numbers_only(version: str, other: str, older: bool) -> None:
    assert is_older(version, other) is older


@pytest.mark.parametrize(
    ("version", "range_", "within"),
    [
        ("2.5", ">=2.1,<3", True),
        ("2.0", ">=2.1,<3", False),
        ("3.0", ">=2.1,<3", False),
        ("3.0rc1", ">=2.1", True),
        ("2.0", "", True),
        ("26-spring", ">=30", True),
        ("", ">=30", True),
    ],
)
def test_a_version_is_outside_a_range_only_when_it_can_be_compared(
    version: str, range_: str, within: bool
) -> None:
    assert is_in(version, range_) is within


def test_a_text_that_is_no_range_is_refused() -> None:
    with pytest.raises(ValueError, match='"newest" is no range of versions'):
        is_in("1.0", "newest")
    assert not is_range("newest")
    assert is_range("")
    assert is_range(" >= 2.1 , < 3 ")


def test_which_versions_can_be_compared() -> None:
    assert compares("2.1.0.7")
    assert not compares("26-spring")
    assert not compares("")
