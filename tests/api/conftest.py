"""One coordinator, made once and copied for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.real import RealOffice, copy_home, make_home


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as `roundsman init` makes it."""
    folder = tmp_path_factory.mktemp("template")
    make_home(folder)
    return folder


@pytest.fixture(scope="session")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealOffice]:
    """An office that many tests ask, and none changes."""
    with copy_home(template, tmp_path_factory.mktemp("shared")).open() as opened:
        yield opened


@pytest.fixture
def office(template: Path, tmp_path: Path) -> Iterator[RealOffice]:
    """An office that serves on loopback."""
    with copy_home(template, tmp_path).open() as opened:
        yield opened
