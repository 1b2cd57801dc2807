"""One pair of releases for all tests here, and an office of two hosts for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.standin.make_release import release_files, write_folder, write_zip
from tests.standin.world import World, desk_in


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("releases")
    for version in ("1.0", "1.1"):
        write_folder(version, folder / version)
        write_zip(folder / f"{version}.zip", release_files(version))
    return folder


@pytest.fixture
def world(tmp_path: Path, releases: Path) -> Iterator[World]:
    desks = [desk_in(tmp_path, name, releases / "1.0") for name in ("PC-01", "PC-02")]
    office = World(tmp_path, releases, desks)
    yield office
    for desk in office.desks:
        for process in desk.processes:
            process.kill()
            process.communicate()
