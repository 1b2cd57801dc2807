"""One desktop for all tests of a module; each test has its own programs on it."""

from collections.abc import Iterator

import pytest

from tests.desktop.people import Hands
from tests.desktop.screens import desktop


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with desktop() as name:
        yield name


@pytest.fixture
def hands(display: str) -> Iterator[Hands]:
    with Hands(display) as person:
        yield person
