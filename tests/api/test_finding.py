"""Releases at their vendors', over the API: found, fetched by the coordinator, and signed."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.wire.contract import Target
from agent.wire.manifest import Manifest, read_manifest
from agent.wire.terms import Terms
from coordinator.api.asks import FetchAsk, PackageAsk, ProfileAsk
from coordinator.api.client import Client
from coordinator.api.finding_schemas import DownloadView
from coordinator.complaint import Complaint
from coordinator.model import DownloadState, SurveyOf
from tests.api.real import APP, PROFILE, RealOffice, make_zip
from tests.releases.vendor import Vendor, a_feed, a_release, trusting
from tests.until import until


class World:
    """An office, and a vendor with 1.0, 1.1 and 1.2 of its app."""

    def __init__(self, office: RealOffice, vendor: Vendor, folder: Path) -> None:
        self.office = office
        self.vendor = vendor
        self.zip = make_zip(folder / "vendors.zip").read_bytes()
        self.terms: dict[str, Any] = {"contract": True, "editions": ["pro"]}
        office.feeds[APP] = f"{vendor.address}/feed.json"
        self.offer("1.1", "1.2", "1.0")
        for version in ("1.0", "1.1", "1.2"):
            vendor.give(f"/{APP}-{version}.zip", self.zip, "application/zip")

    def offer(self, *versions: str, **changes: Any) -> None:
        releases = [self.release(version, **changes) for version in versions]
        self.vendor.feed(app=APP, releases=releases)

    def release(self, version: str, **changes: Any) -> dict[str, Any]:
        made = a_release(version, self.zip, **{"terms": self.terms} | changes)
        made["packages"][0]["url"] = f"{APP}-{version}.zip"
        return made

    def fetch(self, **ask: Any) -> DownloadView:
        with self.office.client() as client:
            begun = client.fetch(FetchAsk(**{"app": APP, "version": "1.2"} | ask))
            until(lambda: client.download(begun.id).state is not DownloadState.UNDER_WAY)
            return client.download(begun.id)

    def manifest(self, target: str) -> Manifest:
        found = [t for t in self.office.repository.drafted() if t.name == target]
        return read_manifest(self.office.repository.content(Target(target, found[0].sha256)))

    def refused(self, why: str, **ask: Any) -> Complaint:
        with pytest.raises(Complaint, match=why) as caught:
            self.fetch(**ask)
        assert caught.value.mend
        return caught.value


@pytest.fixture
def world(office: RealOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The office and its vendor, both up."""
    vendor = Vendor()
    monkeypatch.setenv("SSL_CERT_FILE", trusting(vendor, tmp_path))
    with vendor.open():
        yield World(office, vendor, tmp_path)


def _found(client: Client, **options: Any) -> list[str]:
    (found,) = client.offers(APP, **options)
    assert found.problem == ""
    return [offer.version for offer in found.releases]


def test_what_is_newer_than_installed_and_added_is_found(world: World, tmp_path: Path) -> None:
    with world.office.client() as client:
        assert _found(client) == ["1.2", "1.1", "1.0"]  # nothing is known of the workstations
        world.office.add_hosts(3)
        client.add_profile(ProfileAsk(text=PROFILE))
        world.office.sign()
        (found,) = client.offers(APP)
        assert [offer.version for offer in found.releases] == ["1.2", "1.1"]
        assert (found.installed, found.unheard) == ({"1.0": 3}, 0)
        client.add_package(PackageAsk(app=APP, version="1.1"), make_zip(tmp_path / "r.zip"))
        assert _found(client) == ["1.2"]
        assert _found(client, everything=True) == ["1.2", "1.1", "1.0"]
        states = [(o.version, o.state) for o in client.offers(APP, everything=True)[0].releases]
        assert states == [("1.2", ""), ("1.1", "added"), ("1.0", "")]
        world.office.sign()
    offer = found.releases[0]
    assert (offer.released, offer.packages) == ("2026-11-01", ["workstation on linux"])
    assert offer.headline == "What is new in 1.2"
    assert offer.terms[0] == "for the editions pro only"
    assert offer.size == len(world.zip)


def test_a_workstation_that_does_not_say_is_counted(world: World) -> None:
    world.office.add_hosts(2)
    world.office.surveyor.said["pc-01-abcdef"] = SurveyOf({"app_version": "1.1"})
    world.office.surveyor.said["pc-02-abcdef"] = SurveyOf({}, problem="it is off")
    with world.office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        world.office.sign()
        (found,) = client.offers(APP)
        assert [offer.version for offer in found.releases] == ["1.2"]
        assert (found.installed, found.unheard) == ({"1.1": 1}, 1)


def test_a_feed_that_cannot_be_read_is_said_beside_the_others(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "feed.json").write_text(json.dumps(a_feed(app="other")))
    world.office.feeds |= {"other": str(tmp_path / "share"), "absent": str(tmp_path / "absent")}
    with world.office.client() as client:
        found = {one.app: one for one in client.offers()}
        assert [r.version for r in found["other"].releases] == ["1.2"]
        assert "No such file" in found["absent"].problem
        assert found["absent"].mend
        assert found[APP].problem == ""


def test_an_app_without_a_feed_is_told_where_it_is_written(world: World) -> None:
    with world.office.client() as client:
        for call in (
            lambda: client.offers("nothing"),
            lambda: client.fetch(FetchAsk(app="nothing", version="1.0")),
        ):
            with pytest.raises(Complaint, match="no vendor's feed is known") as caught:
                call()
            assert "[feeds]" in caught.value.mend
        world.office.feeds.clear()
        with pytest.raises(Complaint, match="no vendor's feed is known"):
            client.offers()


def test_a_release_is_fetched_by_the_coordinator_with_terms_and_notes(world: World) -> None:
    done = world.fetch()
    assert (done.state, done.problem) == (DownloadState.DONE, "")
    assert done.targets == (f"packages/{APP}/1.2/workstation-linux.json",)
    terms = world.manifest(done.targets[0]).terms
    assert terms == Terms("2026-11-01", ("pro",), contract=True)
    with world.office.client() as client:
        (row,) = client.packages(APP, "1.2")
        assert (row.added_by, row.signed) == ("ann", False)
        assert client.notes(APP, "1.2").notes == "# What is new in 1.2"
    folder = world.office.settings.home / "downloads"
    assert list(folder.iterdir()) == []
    said = [line.what for line in world.office.people.trail(5)]
    assert "release add" in said


def test_what_the_operator_says_counts_before_what_the_vendor_says(world: World) -> None:
    done = world.fetch(terms='{"over":">=1.1"}', notes="Tried on PC-01.")
    assert world.manifest(done.targets[0]).terms == Terms(over=">=1.1")
    with world.office.client() as client:
        assert client.notes(APP, "1.2").notes == "Tried on PC-01."


def test_all_packages_of_a_release_come_or_those_of_one_role(world: World) -> None:
    release = world.release("1.2")
    server = release["packages"][0] | {"role": "server"}
    release["packages"].append(server)
    world.vendor.feed(app=APP, releases=[release])
    assert len(world.fetch().targets) == 2
    assert world.fetch(role="server").targets == (f"packages/{APP}/1.2/server-linux.json",)
    world.refused("is offered for workstation on linux, server on linux", system="windows")


def test_a_version_that_is_not_offered_is_said_so(world: World) -> None:
    assert "--all" in world.refused("offers no office-maker 1.9", version="1.9").mend


@pytest.mark.parametrize("change", [{"size": 7}, {"sha256": "0" * 64}])
def test_what_is_not_as_the_feed_says_is_not_taken_in(
    world: World, change: dict[str, Any]
) -> None:
    release = world.release("1.2")
    release["packages"][0] |= change
    world.vendor.feed(app=APP, releases=[release])
    done = world.fetch()
    assert done.state is DownloadState.FAILED
    assert "cannot use office-maker-1.2.zip" in done.problem
    assert done.mend
    assert world.office.repository.drafted() == []


def test_what_is_no_package_is_not_taken_in(world: World) -> None:
    world.zip = b"this is no zip"
    world.offer("1.2")
    world.vendor.give(f"/{APP}-1.2.zip", world.zip)
    done = world.fetch()
    assert "no sound zip file" in done.problem
    assert list((world.office.settings.home / "downloads").iterdir()) == []


def test_an_address_is_held_against_the_feed_that_names_it(world: World) -> None:
    address = f"{world.vendor.address}/{APP}-1.2.zip"
    done = world.fetch(url=address)
    assert (done.state, done.unverified) == (DownloadState.DONE, ())
    assert world.manifest(done.targets[0]).terms.contract
    world.refused(
        "the feed of office-maker says that its SHA-256 is", url=address, sha256="0" * 64
    )


def test_an_address_that_no_feed_names_is_fetched_and_its_hash_told(world: World) -> None:
    world.vendor.give("/beta.zip", world.zip)
    address = f"{world.vendor.address}/beta.zip"
    sha256 = hashlib.sha256(world.zip).hexdigest()
    world.office.feeds.clear()
    done = world.fetch(url=address, version="1.3", role="server", system="windows")
    assert done.targets == (f"packages/{APP}/1.3/server-windows.json",)
    assert done.unverified == (sha256,)
    assert world.fetch(url=address, version="1.3", sha256=sha256).unverified == ()
    failed = world.fetch(url=address, version="1.3", sha256="0" * 64)
    assert "was expected" in failed.problem


def test_a_feed_that_is_broken_does_not_hinder_an_address(world: World) -> None:
    world.vendor.give("/feed.json", b"<html>")
    done = world.fetch(url=f"{world.vendor.address}/{APP}-1.2.zip")
    assert done.state is DownloadState.DONE
    assert len(done.unverified) == 1
    assert "web page" in world.refused("this is a web page").error


@pytest.mark.parametrize("url", ["http://vendor.example/a.zip", "file:///etc/passwd", "x"])
def test_an_address_that_is_none_is_refused(world: World, url: str) -> None:
    world.refused("must be an https address", url=url)


def test_what_is_signed_cannot_be_fetched_with_other_terms(world: World) -> None:
    world.fetch()
    world.office.sign()
    assert world.fetch().state is DownloadState.DONE
    done = world.fetch(terms='{"editions":["free"]}')
    assert "signed already, with other content or terms" in done.problem


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ("{", "cannot use these terms: "),
        ("[]", "must be an object"),
        ('{"contrat": true}', "'contrat': unknown; known are contract"),
        ('{"over": "new"}', "over: 'new' is no range"),
        ("[" * 9000, "cannot use these terms"),
    ],
)
def test_terms_that_cannot_be_used_are_refused(
    world: World, terms: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(Complaint, match=why):
        world.fetch(terms=terms)
    ask, file = PackageAsk(app=APP, version="1.2", terms=terms), make_zip(tmp_path / "r.zip")
    with world.office.client() as client, pytest.raises(Complaint, match=why):
        client.add_package(ask, file)


def test_terms_of_a_file_are_signed_with_it_long_ones_too(world: World, tmp_path: Path) -> None:
    modules = [{"name": f"module-{n}" * 3, "works": ">=1.0,<2"} for n in range(64)]
    terms = json.dumps({"contract": True, "modules": modules})
    notes = "日\n" * 4000
    ask = PackageAsk(app=APP, version="1.4", terms=terms, notes=notes)
    with world.office.client() as client:
        added = client.add_package(ask, make_zip(tmp_path / "r.zip"))
        assert len(world.manifest(added.target).terms.modules) == 64
        assert client.notes(APP, "1.4").notes.startswith("日\n日\n")


def test_notes_lie_in_the_feed_until_a_release_is_added(world: World) -> None:
    with world.office.client() as client:
        assert client.notes(APP, "1.1").notes == "# What is new in 1.1"
        with pytest.raises(Complaint, match=r"no notes of office-maker 3\.0 are known"):
            client.notes(APP, "3.0")
        world.vendor.answers.clear()
        with pytest.raises(Complaint, match="404 Not Found"):
            client.notes(APP, "1.1")


def test_notes_of_their_own_place_are_fetched(world: World) -> None:
    release = world.release("1.2", notes_url="notes/1.2.md")
    del release["notes"]
    world.vendor.feed(app=APP, releases=[release])
    world.vendor.give("/notes/1.2.md", b"# Faster\n\n\x1b]0;x\x07")
    with world.office.client() as client:
        assert client.notes(APP, "1.2").notes.startswith("# Faster")
        assert "\x1b" not in client.notes(APP, "1.2").notes
        assert world.fetch().state is DownloadState.DONE
        world.vendor.answers.clear()
        assert client.notes(APP, "1.2").notes.startswith("# Faster")  # kept with the package


def test_notes_that_cannot_be_read_do_not_hinder_the_release(world: World) -> None:
    release = world.release("1.2", notes_url="absent.md")
    del release["notes"]
    world.vendor.feed(app=APP, releases=[release])
    assert world.fetch().state is DownloadState.DONE


def test_a_download_nobody_knows_is_said_so(world: World) -> None:
    with world.office.client() as client, pytest.raises(Complaint, match="no such download"):
        client.download("x")
