"""A person at a terminal, and the coordinator they speak to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.real import RealOffice, copy_home, make_home
from tests.cli.terminal import Terminal


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as `roundsman init` makes it."""
    folder = tmp_path_factory.mktemp("template")
    make_home(folder)
    return folder


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of a user who has nothing yet."""
    for name in ("ROUNDSMAN_PASSPHRASE",):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROUNDSMAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROUNDSMAN_CONFIG", str(tmp_path / "operator"))
    return Terminal()


@pytest.fixture
def office(template: Path, tmp_path: Path, terminal: Terminal) -> Iterator[RealOffice]:
    """An office that serves on loopback, to which the terminal's user has access."""
    with copy_home(template, tmp_path).open() as opened:
        yield opened
