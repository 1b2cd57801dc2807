import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.packages import FRESH_SECONDS, SignedPackages
from agent.steps.table import Refused
from agent.wire.contract import Refusal, Target
from agent.wire.https import Https
from agent.wire.manifest import Manifest
from coordinator.releases.packages import profile_name
from coordinator.releases.repository import Repository
from tests.trust.office import Office, make_zip

DAY = 86400
PROFILE = Path("coordinator/profiles/starface.toml").resolve().read_bytes()
NAME = profile_name("starface")


class Host:
    """One enrolled host, and its view of what is signed."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.state, self.id = office.enrol()
        self.https = office.https(self.state)
        self.elapsed = 0.0
        self.packages = self.restarted()

    def restarted(self) -> SignedPackages:
        return SignedPackages(self.state, self.id, self.https, lambda: self.elapsed)

    def publish(self, content: bytes = PROFILE) -> Target:
        target = self.office.repository.add(NAME, content)
        self.office.publish()
        return target

    def is_refused(self, target: Target, why: str) -> None:
        with pytest.raises(Refused, match=why) as refused:
            self.restarted().profile(target)
        assert refused.value.refusal is Refusal.NOT_SIGNED


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Office(tmp_path / "office").open() as office:
        host = Host(office)
        with host.https:
            yield host


def metadata(host: Host) -> Path:
    return host.office.repository.folder / "metadata"


def test_a_signed_profile_is_read(host: Host) -> None:
    assert host.packages.profile(host.publish()).name == "starface"


def test_a_signed_manifest_is_read(host: Host, tmp_path: Path) -> None:
    zip_file = make_zip(tmp_path / "a.zip", {"bin/app": b"1.1"})
    manifest, target = host.office.add_package(zip_file)
    host.office.publish()
    assert host.packages.manifest(target) == manifest


def test_what_is_added_and_not_signed_is_refused(host: Host) -> None:
    target = host.office.repository.add(NAME, PROFILE)
    host.is_refused(target, "does not name it")


def test_an_order_for_another_content_than_the_signed_one_is_refused(host: Host) -> None:
    host.publish()
    host.is_refused(Target(NAME, "0" * 64), "does not name it with this content")


@pytest.mark.parametrize("name", ["profiles/none.toml", "profiles/../x", "a/../../key.pem"])
def test_an_order_for_a_name_that_is_not_signed_is_refused(host: Host, name: str) -> None:
    host.publish()
    host.is_refused(Target(name, "0" * 64), "does not name it")


def test_a_profile_that_replaced_another_is_accepted_and_the_old_one_no_more(host: Host) -> None:
    old = host.publish()
    host.packages.profile(old)
    new = host.publish(PROFILE + b"\n")
    assert host.restarted().profile(new)
    host.is_refused(old, "does not name it with this content")


def test_a_content_changed_by_one_bit_on_the_coordinator_is_refused(host: Host) -> None:
    target = host.publish()
    (held,) = (host.office.repository.folder / "targets" / "profiles").iterdir()
    held.write_bytes(bytes([PROFILE[0] ^ 1]) + PROFILE[1:])
    host.is_refused(target, "hash")


def test_a_content_that_is_gone_is_refused(host: Host) -> None:
    target = host.publish()
    shutil.rmtree(host.office.repository.folder / "targets")
    host.is_refused(target, "no such file")


def test_a_longer_content_than_was_signed_is_refused(host: Host) -> None:
    target = host.publish()
    (held,) = (host.office.repository.folder / "targets" / "profiles").iterdir()
    held.write_bytes(PROFILE * 2)
    host.is_refused(target, "longer than")


def test_a_signed_profile_that_cannot_be_read_names_the_line(host: Host) -> None:
    host.is_refused(host.publish(b"[profile]\nname = 1\n"), "profiles/starface.toml:2")


def test_metadata_rolled_back_is_refused(host: Host, tmp_path: Path) -> None:
    old = host.publish()
    shutil.copytree(metadata(host), tmp_path / "before")
    host.packages.profile(host.publish(PROFILE + b"\n"))
    shutil.rmtree(metadata(host))
    shutil.copytree(tmp_path / "before", metadata(host))
    host.is_refused(old, "version")


def test_metadata_that_is_frozen_is_refused_once_it_has_expired(host: Host) -> None:
    target = host.publish()
    host.packages.profile(target)
    frozen_since(host.office, 2 * DAY)
    host.is_refused(target, "expired")
    Repository(host.office.repository.folder).refresh()
    assert host.restarted().profile(target)


def frozen_since(office: Office, seconds: float) -> None:
    """Give the repository the metadata of a coordinator that last lived so long ago."""
    office.clock.ahead = -seconds
    office.repository.refresh()
    office.clock.ahead = 0


def test_a_list_of_targets_that_expired_is_refused_though_the_rest_is_fresh(host: Host) -> None:
    host.office.clock.ahead = -91 * DAY
    target = host.publish()
    host.office.clock.ahead = 0
    host.office.repository.refresh()
    host.is_refused(target, "expired")


def test_the_repository_of_another_fleet_is_refused(host: Host, tmp_path: Path) -> None:
    other = Office(tmp_path / "other")
    target = other.repository.add(NAME, PROFILE)
    other.publish()
    shutil.rmtree(host.office.repository.folder)
    shutil.copytree(other.repository.folder, host.office.repository.folder)
    host.is_refused(target, "signed")


@pytest.mark.parametrize("file", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_metadata_changed_by_one_bit_is_refused(host: Host, file: str) -> None:
    target = host.publish()
    raw = bytearray((metadata(host) / file).read_bytes())
    raw[len(raw) // 2] ^= 1
    (metadata(host) / file).write_bytes(raw)
    with pytest.raises(Refused):
        host.packages.profile(target)


@pytest.mark.parametrize("file", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_metadata_that_is_absent_is_refused(host: Host, file: str) -> None:
    target = host.publish()
    (metadata(host) / file).unlink()
    host.is_refused(target, "lacks a part of it")


def test_endless_metadata_is_refused(host: Host) -> None:
    target = host.publish()
    (metadata(host) / "timestamp.json").write_bytes(b" " * 10_000_000)
    host.is_refused(target, "longer than")


def test_a_verified_target_is_given_again_for_a_while_without_asking(host: Host) -> None:
    target = host.publish()
    host.packages.profile(target)
    shutil.rmtree(metadata(host))
    assert host.packages.profile(target)
    host.elapsed = FRESH_SECONDS + 1
    with pytest.raises(Refused):
        host.packages.profile(target)


def test_while_the_coordinator_cannot_be_asked_what_was_verified_here_stays_good(
    host: Host, tmp_path: Path
) -> None:
    target = host.publish()
    host.packages.profile(target)
    with Https("127.0.0.1:1", host.state / "ca.pem") as nobody:
        alone = SignedPackages(host.state, host.id, nobody)
        assert alone.profile(target).name == "starface"
        with pytest.raises(Refused, match="cannot be asked") as refused:
            alone.profile(Target(NAME, "0" * 64))
        assert refused.value.refusal is Refusal.NOT_SIGNED


def test_recovery_reads_a_profile_that_was_verified_here_and_no_other(host: Host) -> None:
    target = host.publish()
    assert host.packages.kept_profile(target) is None
    profile = host.packages.profile(target)
    shutil.rmtree(metadata(host))
    assert host.restarted().kept_profile(target) == profile


def test_a_kept_target_that_was_damaged_on_the_disk_is_fetched_again(host: Host) -> None:
    target = host.publish()
    host.packages.profile(target)
    (held,) = (host.state / "tuf" / "kept").iterdir()
    held.write_bytes(b"[profile]")
    assert host.packages.kept_profile(target) is None
    assert host.restarted().profile(target)
    assert held.read_bytes() == PROFILE


def test_a_manifest_is_not_taken_for_a_profile(host: Host, tmp_path: Path) -> None:
    zip_file = make_zip(tmp_path / "a.zip", {"bin/app": b"1.1"})
    manifest, target = host.office.add_package(zip_file)
    host.office.publish()
    assert isinstance(manifest, Manifest)
    host.is_refused(target, "cannot be read here")
