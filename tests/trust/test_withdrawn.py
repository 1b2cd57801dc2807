"""A release that was taken off the signed list: agents do not install what they have of it."""

from pathlib import Path

import pytest

from agent.packages import SignedPackages
from agent.steps.table import Refused
from agent.wire.contract import Refusal, Target
from coordinator.releases.signatures import NotPublished
from tests.trust.keyring import Agent
from tests.trust.office import Office, make_zip


@pytest.fixture
def package(office: Office, tmp_path: Path) -> Target:
    """A package that is signed, and one beside it that stays so."""
    _, other = office.add_package(make_zip(tmp_path / "b.zip", {"bin/app": b"1.0"}), "1.0")
    _, target = office.add_package(make_zip(tmp_path / "a.zip", {"bin/app": b"1.1"}))
    office.publish()
    assert office.repository.offered() == [other, target]
    return target


def _packages(agent: Agent) -> SignedPackages:
    return SignedPackages(agent.state, agent.id, agent.https, lambda: 0.0)


def test_what_was_verified_a_moment_ago_is_refused_by_whoever_asks_afresh(
    office: Office, agent: Agent, package: Target
) -> None:
    packages = _packages(agent)
    packages.manifest(package, afresh=True)
    office.repository.withdraw([package])
    packages.manifest(package, afresh=True)  # nobody has signed that it is withdrawn
    office.publish()
    assert packages.manifest(package)  # so that a visit that has begun can end
    with pytest.raises(Refused, match="the signed list does not name it") as refused:
        packages.manifest(package, afresh=True)
    assert refused.value.refusal is Refusal.NOT_SIGNED


def test_an_agent_that_was_started_anew_refuses_it_at_once(
    office: Office, agent: Agent, package: Target
) -> None:
    _packages(agent).manifest(package)
    office.repository.withdraw([package])
    office.publish()
    with pytest.raises(Refused, match="the signed list does not name it"):
        _packages(agent).manifest(package)


def test_what_is_not_withdrawn_stays_installable(
    office: Office, agent: Agent, package: Target
) -> None:
    office.repository.withdraw([package])
    office.publish()
    (other,) = office.repository.published()
    assert _packages(agent).manifest(other, afresh=True).version == "1.0"


def test_put_back_and_signed_it_is_accepted_again(
    office: Office, agent: Agent, package: Target
) -> None:
    office.repository.withdraw([package])
    office.publish()
    office.repository.add(package.name, office.repository.content(package))
    assert office.repository.drafted() == [package]
    office.publish()
    assert _packages(agent).manifest(package, afresh=True).version == "1.1"


def test_put_back_before_it_was_signed_it_never_left_the_list(
    office: Office, package: Target
) -> None:
    office.repository.withdraw([package])
    assert office.repository.withdrawn() == [package]
    assert package not in office.repository.offered()
    office.repository.add(package.name, office.repository.content(package))
    assert office.repository.withdrawn() == []
    assert office.repository.drafted() == []
    assert package in office.repository.offered()


def test_a_withdrawal_outlives_the_daemon(office: Office, package: Target) -> None:
    office.repository.withdraw([package])
    again = type(office.repository)(office.repository.folder, office.clock)
    assert again.withdrawn() == [package]


def test_only_the_content_that_is_named_is_withdrawn(office: Office, package: Target) -> None:
    office.repository.withdraw([Target(package.name, "0" * 64)])
    assert office.repository.withdrawn() == []


def test_a_list_from_before_the_withdrawal_does_not_undo_it_here(
    office: Office, package: Target
) -> None:
    """One who took the list along to sign it elsewhere may come back after the withdrawal."""
    office.repository.add("profiles/a.toml", b"a")
    taken_along = office.signed()
    office.repository.withdraw([package])
    office.repository.publish(taken_along)
    assert package in office.repository.published()
    assert office.repository.withdrawn() == [package]
    assert package not in office.repository.offered()
    with pytest.raises(NotPublished, match="another list was published"):
        office.repository.publish(taken_along)
