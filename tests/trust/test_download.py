import os
import random
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from agent.packages import SignedPackages
from agent.steps.table import Cancelled, Refused
from agent.wire.contract import Refusal
from agent.wire.https import Https
from tests.trust.fake_work import make_work
from tests.trust.office import Office, make_zip

SIZE = 900_000


class Depot:
    """One host, one package, and a server that can be told to cut the line."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.state, self.id = office.enrol()
        self.https = office.https(self.state)
        noise = random.Random(7).randbytes(SIZE)
        self.manifest, _ = office.add_package(make_zip(office.folder / "a.zip", {"app": noise}))
        self.downloads = self.state / "downloads"
        self.packages = SignedPackages(self.state, self.id, self.https)

    @property
    def content(self) -> Path:
        path = self.office.packages.path(self.manifest.content_sha256)
        assert path is not None
        return path

    def ticket(self) -> str:
        return self.office.tickets.make(self.id, self.manifest.content_sha256)

    def fetch(self, ticket: str = "", free: int = 10**12) -> Path:
        work, _ = make_work(self.downloads, free)
        return self.packages.fetch(self.manifest, ticket or self.ticket(), work)

    def is_refused(self, refusal: Refusal, why: str, ticket: str = "", free: int = 10**12) -> None:
        with pytest.raises(Refused, match=why) as refused:
            self.fetch(ticket, free)
        assert refused.value.refusal is refusal

    def left(self) -> list[str]:
        return sorted(path.suffix for path in self.downloads.iterdir())


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    with Office(tmp_path / "office").open() as office:
        depot = Depot(office)
        with depot.https:
            yield depot


def test_a_package_is_fetched_and_its_bytes_are_told(depot: Depot) -> None:
    work, fake = make_work(depot.downloads)
    path = depot.packages.fetch(depot.manifest, depot.ticket(), work)
    assert path.read_bytes() == depot.content.read_bytes()
    size = depot.manifest.content_size
    assert fake.told[-1] == (size, size)
    assert fake.told == sorted(fake.told)
    assert depot.left() == [".zip"]


def test_a_package_comes_no_faster_than_the_order_says(depot: Depot) -> None:
    work, fake = make_work(depot.downloads, rate=100_000)
    depot.packages.fetch(depot.manifest, depot.ticket(), work)
    assert sum(fake.pauses) == pytest.approx(depot.manifest.content_size / 100_000)
    assert len(fake.pauses) >= depot.manifest.content_size // 65_536
    assert max(fake.pauses) < 1


def test_a_download_that_is_held_back_is_ended_when_it_is_told_to(depot: Depot) -> None:
    work, fake = make_work(depot.downloads, rate=1)
    fake.end_at_pause = 2
    with pytest.raises(Cancelled):
        depot.packages.fetch(depot.manifest, depot.ticket(), work)
    assert len(fake.pauses) == 2
    assert depot.left() == [".part"]


def test_a_package_that_is_there_is_not_fetched_again(depot: Depot) -> None:
    depot.fetch()
    assert depot.fetch(ticket="none needed").exists()


def test_a_package_that_was_damaged_since_is_fetched_again(depot: Depot) -> None:
    path = depot.fetch()
    path.write_bytes(b"x" * depot.manifest.content_size)
    assert depot.fetch().read_bytes() == depot.content.read_bytes()


@pytest.mark.parametrize("have", [1, 65_536, 500_001, SIZE - 1])
def test_a_download_goes_on_at_any_byte(depot: Depot, have: int) -> None:
    depot.downloads.mkdir(parents=True)
    part = depot.downloads / f"{depot.manifest.content_sha256}.part"
    part.write_bytes(depot.content.read_bytes()[:have])
    work, fake = make_work(depot.downloads)
    path = depot.packages.fetch(depot.manifest, depot.ticket(), work)
    assert path.read_bytes() == depot.content.read_bytes()
    assert fake.told[0][0] > have


def cutting(office: Office, places: list[int], heard: list[str]) -> Route:
    """Return a route that gives a package up to each place in turn, then cuts the line."""

    def endpoint(request: Request) -> Response:
        heard.append(request.headers.get("range", ""))
        path = office.packages.path(request.path_params["sha256"])
        assert path is not None
        whole = path.read_bytes()
        start = int(heard[-1].removeprefix("bytes=").rstrip("-") or 0)
        stop = places.pop(0) if places else len(whole)
        headers = {
            "Content-Length": str(len(whole) - start),
            "Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}",
        }
        return StreamingResponse(_until(whole[start:stop]), 206, headers)

    return Route("/packages/{sha256}", endpoint)


async def _until(part: bytes) -> AsyncIterator[bytes]:
    yield part


def test_a_download_that_is_cut_at_three_places_ends_whole(tmp_path: Path) -> None:
    office, heard = Office(tmp_path / "office"), list[str]()
    office.extra.append(cutting(office, [150_000, 400_000, 800_000], heard))
    with office.open():
        depot = Depot(office)
        work, fake = make_work(depot.downloads)
        with depot.https:
            path = depot.packages.fetch(depot.manifest, depot.ticket(), work)
        assert path.read_bytes() == depot.content.read_bytes()
    starts = [int(text.removeprefix("bytes=").rstrip("-") or 0) for text in heard]
    assert len(starts) == 4
    assert starts == sorted(set(starts))
    assert len(fake.pauses) == 3


def test_a_line_that_is_cut_again_and_again_keeps_what_came(tmp_path: Path) -> None:
    office, heard = Office(tmp_path / "office"), list[str]()
    office.extra.append(cutting(office, [150_000] * 50, heard))
    with office.open():
        depot = Depot(office)
        with depot.https:
            depot.is_refused(Refusal.PACKAGE_ABSENT, "bytes are kept for the next try")
    assert depot.left() == [".part"]


def test_a_coordinator_that_is_gone_is_told_and_nothing_is_lost(depot: Depot) -> None:
    depot.downloads.mkdir(parents=True)
    part = depot.downloads / f"{depot.manifest.content_sha256}.part"
    part.write_bytes(depot.content.read_bytes()[:1000])
    with Https("127.0.0.1:1", depot.state / "ca.pem") as nobody:
        depot.packages = SignedPackages(depot.state, depot.id, nobody)
        depot.is_refused(Refusal.PACKAGE_ABSENT, "cannot reach the coordinator.*1000 of")
    assert part.stat().st_size == 1000


def test_an_absent_package_is_told(depot: Depot) -> None:
    depot.content.unlink()
    depot.is_refused(Refusal.PACKAGE_ABSENT, "has no such package")


@pytest.mark.parametrize("keep", [0, 1, SIZE // 2, SIZE])
def test_a_truncated_package_is_refused_and_removed(depot: Depot, keep: int) -> None:
    with depot.content.open("rb+") as file:
        file.truncate(keep)
    depot.is_refused(Refusal.PACKAGE_MISMATCH, "were signed")
    assert depot.left() == []


def test_a_package_that_shrank_while_it_was_fetched_is_refused(depot: Depot) -> None:
    depot.downloads.mkdir(parents=True)
    part = depot.downloads / f"{depot.manifest.content_sha256}.part"
    part.write_bytes(depot.content.read_bytes()[: SIZE // 2])
    with depot.content.open("rb+") as file:
        file.truncate(SIZE // 4)
    depot.is_refused(Refusal.PACKAGE_MISMATCH, "shorter there")
    assert depot.left() == []


@pytest.mark.parametrize("at", [0, SIZE // 2, SIZE])
def test_a_package_changed_by_one_bit_is_refused_and_removed(depot: Depot, at: int) -> None:
    raw = bytearray(depot.content.read_bytes())
    raw[at] ^= 1
    depot.content.write_bytes(raw)
    depot.is_refused(Refusal.PACKAGE_MISMATCH, "not what was signed")
    assert depot.left() == []


def test_a_part_changed_by_one_bit_is_refused_and_the_next_try_is_well(depot: Depot) -> None:
    depot.downloads.mkdir(parents=True)
    part = depot.downloads / f"{depot.manifest.content_sha256}.part"
    part.write_bytes(b"x" + depot.content.read_bytes()[1:5000])
    depot.is_refused(Refusal.PACKAGE_MISMATCH, "not what was signed")
    assert depot.fetch().read_bytes() == depot.content.read_bytes()


def test_the_ticket_of_another_host_is_refused(depot: Depot) -> None:
    other = depot.office.tickets.make("pc-02-abcdef", depot.manifest.content_sha256)
    depot.is_refused(Refusal.PACKAGE_ABSENT, "another host's", ticket=other)


def test_a_ticket_for_another_content_is_refused(depot: Depot) -> None:
    other = depot.office.tickets.make(depot.id, "0" * 64)
    depot.is_refused(Refusal.PACKAGE_ABSENT, "not for this content", ticket=other)


def test_an_expired_ticket_is_refused(depot: Depot) -> None:
    ticket = depot.ticket()
    depot.office.clock.ahead = 7200
    depot.is_refused(Refusal.PACKAGE_ABSENT, "expired", ticket=ticket)


def test_a_revoked_host_fetches_nothing_though_its_ticket_is_good(depot: Depot) -> None:
    ticket = depot.ticket()
    depot.office.book.revoke(depot.id)
    depot.is_refused(Refusal.PACKAGE_ABSENT, "revoked", ticket=ticket)


def test_a_disk_that_is_too_full_is_measured_before_anything_is_fetched(depot: Depot) -> None:
    depot.is_refused(Refusal.DISK_FULL, r"65 MiB are needed .* 3 MiB are free", free=3 * 2**20)
    assert depot.left() == []


def test_a_disk_that_fills_up_meanwhile_is_told_and_given_back(depot: Depot) -> None:
    depot.downloads.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(depot.downloads)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        depot.is_refused(Refusal.DISK_FULL, "Make room")
        assert depot.left() == []
    finally:
        subprocess.run(["umount", str(depot.downloads)], check=True)


def test_a_longer_part_than_the_package_is_thrown_away(depot: Depot) -> None:
    depot.downloads.mkdir(parents=True)
    part = depot.downloads / f"{depot.manifest.content_sha256}.part"
    part.write_bytes(b"x" * (SIZE * 2))
    assert depot.fetch().read_bytes() == depot.content.read_bytes()
