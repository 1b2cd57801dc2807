"""Agents go on with a repository whose old lists were deleted, however long they were away."""

import time
from pathlib import Path

import pytest

from agent.packages import SignedPackages
from agent.steps.table import Refused
from agent.wire.contract import Target
from agent.wire.manifest import Manifest
from coordinator.releases.clearing import Kind, Needs, Stores, clear
from tests.trust.keyring import Agent
from tests.trust.office import Office, make_zip


def _cleared(office: Office, *packages: str) -> list[Kind]:
    """Delete all that is superseded as if it were of long ago; return the kinds of it."""
    listed = frozenset(office.repository.published())
    needs = Needs(listed, frozenset(packages), time.time() + 10)
    return [item.kind for item in clear(Stores(office.repository, office.packages), lambda: needs)]


def _packages(agent: Agent) -> SignedPackages:
    return SignedPackages(agent.state, agent.id, agent.https)


@pytest.fixture
def first(office: Office, tmp_path: Path) -> tuple[Manifest, Target]:
    """A signed package, after which much else was signed, and withdrawn."""
    made = office.add_package(make_zip(tmp_path / "a.zip", {"bin/app": b"1.1"}))
    office.publish()
    return made


def _much_else(office: Office, folder: Path) -> None:
    for number in range(3):
        zip_file = make_zip(folder / f"{number}.zip", {"bin/app": b"x" * number + b"y"})
        _, target = office.add_package(zip_file, f"2.{number}")
        office.publish()
        office.repository.withdraw([target])
        office.publish()


def test_who_was_away_and_who_is_new_find_the_present_list(
    office: Office, agent: Agent, first: tuple[Manifest, Target], tmp_path: Path
) -> None:
    manifest, target = first
    assert _packages(agent).manifest(target) == manifest
    _much_else(office, tmp_path)
    kinds = _cleared(office, manifest.content_sha256)
    assert kinds.count(Kind.METADATA) >= 12
    assert {Kind.PACKAGE, Kind.FILE, Kind.CONTENT} <= set(kinds)
    assert _packages(agent).manifest(target, afresh=True) == manifest
    state, host = office.enrol("PC-02")
    with office.https(state) as https:
        assert SignedPackages(state, host, https).manifest(target) == manifest
        with pytest.raises(Refused, match="does not name it"):
            SignedPackages(state, host, https).manifest(Target(target.name, "0" * 64))


def test_the_repository_is_signed_and_renewed_as_before(
    office: Office, agent: Agent, first: tuple[Manifest, Target], tmp_path: Path
) -> None:
    manifest, target = first
    _much_else(office, tmp_path)
    _cleared(office, manifest.content_sha256)
    office.repository.refresh()
    _, other = office.add_package(make_zip(tmp_path / "n.zip", {"bin/app": b"3"}), "3.0")
    office.publish()
    assert _packages(agent).manifest(other).version == "3.0"
    assert _packages(agent).manifest(target) == manifest
    assert _cleared(office, manifest.content_sha256).count(Kind.METADATA) == 2
