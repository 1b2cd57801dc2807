"""A package comes from a vendor whole, as its feed says, or not at all."""

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from agent.wire.limit import Patience
from coordinator.complaint import Complaint
from coordinator.model import DownloadState
from coordinator.releases.downloads import Download, Downloads, Order
from coordinator.releases.fetch import PAUSES, Fetch, Wanted, forget_old
from coordinator.releases.source import FolderSource
from coordinator.releases.web import WebSource
from tests.releases.vendor import Answer, Vendor, at_first, dribbles, says
from tests.until import until

CONTENT = bytes(range(256)) * 2000  # 512 kB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WANTED = Wanted("workstation", "linux", "p.zip", len(CONTENT), SHA256)


class World:
    """A vendor, a folder, and what a person would be shown."""

    def __init__(self, vendor: Vendor, folder: Path) -> None:
        self.vendor = vendor
        self.folder = folder
        self.source = WebSource(f"{vendor.address}/feed.json", package=Patience(20.0, 0.6))
        self.seen: list[tuple[int, int]] = []
        self.waits: list[float] = []

    def fetch(self, wanted: Wanted = WANTED) -> bytes:
        made = Fetch(wanted, self.source, self.folder, self._saw, self.waits.append)
        with made.run() as file:
            return file.read_bytes()

    def _saw(self, done: int, total: int) -> None:
        self.seen.append((done, total))

    def refused(self, why: str, wanted: Wanted = WANTED) -> None:
        with pytest.raises(Complaint, match=why) as caught:
            self.fetch(wanted)
        assert caught.value.error.isprintable()
        assert caught.value.mend

    def left(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]


@pytest.fixture
def world(vendor: Vendor, tmp_path: Path) -> World:
    return World(vendor, tmp_path / "downloads")


def test_a_package_comes_and_nothing_is_left_beside_it(world: World) -> None:
    world.vendor.give("/p.zip", CONTENT)
    assert world.fetch() == CONTENT
    assert world.seen[-1] == (len(CONTENT), len(CONTENT))
    assert world.left() == []


def test_what_was_cut_goes_on_where_it_was(world: World) -> None:
    world.vendor.answers["/p.zip"] = _cut_at(world, 200_000)
    assert world.fetch() == CONTENT
    starts = [
        int(asked.removeprefix("bytes=").rstrip("-") or 0) for _, asked in world.vendor.asked
    ]
    assert starts[0] == 0
    assert starts[1] > 100_000
    assert world.waits == [PAUSES[0]]


def _cut_at(world: World, most: int) -> Answer:
    """Answer the first time with so many bytes of all that are promised."""
    world.vendor.give("/p.zip", CONTENT)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
    return at_first(world.vendor, says(head + CONTENT[:most]), world.vendor.answers["/p.zip"])


def test_what_came_before_the_coordinator_was_started_anew_is_not_fetched_again(
    world: World,
) -> None:
    world.vendor.give("/p.zip", CONTENT)
    world.folder.mkdir()
    (world.folder / f"{SHA256}.part").write_bytes(CONTENT[:300_000])
    assert world.fetch() == CONTENT
    assert world.vendor.asked == [("/p.zip", "bytes=300000-")]


def test_a_server_that_knows_no_ranges_begins_anew(world: World) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
    world.vendor.answers["/p.zip"] = says(head + CONTENT)
    world.folder.mkdir()
    (world.folder / f"{SHA256}.part").write_bytes(b"x" * 1000)
    assert world.fetch() == CONTENT


def test_what_was_kept_and_is_not_its_beginning_is_thrown_away(world: World) -> None:
    world.vendor.give("/p.zip", CONTENT)
    world.folder.mkdir()
    (world.folder / f"{SHA256}.part").write_bytes(b"x" * 1000)
    world.refused("its SHA-256 is")
    assert world.left() == []
    assert world.fetch() == CONTENT


def test_a_vendor_that_is_away_is_tried_again_and_what_came_is_kept(world: World) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
    first, busy = says(head + CONTENT[:200_000]), says(b"HTTP/1.1 503 x\r\n\r\n")
    world.vendor.answers["/p.zip"] = at_first(world.vendor, first, busy)
    world.refused("503 Service Unavailable; [0-9]{6} bytes are kept for the next time")
    assert world.waits == [PAUSES[0], *PAUSES]
    assert world.left() == [f"{SHA256}.part"]


def test_a_byte_now_and_then_does_not_keep_it_for_ever(world: World) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
    world.vendor.answers["/p.zip"] = dribbles(world.vendor, head)
    world.refused("it takes too long")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (CONTENT[:-1], f"it has {len(CONTENT) - 1} bytes there, and {len(CONTENT)} in the feed"),
        (CONTENT + b"x", f"it has {len(CONTENT) + 1} bytes there"),
        (CONTENT[:-1] + b"x", "its SHA-256 is [0-9a-f]{64}, and [0-9a-f]{64} was expected"),
    ],
)
def test_what_is_not_as_the_feed_says_is_not_kept(world: World, content: bytes, why: str) -> None:
    world.vendor.give("/p.zip", content)
    world.refused(why)
    assert world.left() == []


def test_more_than_was_said_is_not_written(world: World) -> None:
    world.vendor.answers["/p.zip"] = says(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT * 3)
    world.refused("more than its .* bytes come")
    assert world.left() == []


def test_less_than_was_said_is_noticed_without_a_length(world: World) -> None:
    world.vendor.answers["/p.zip"] = says(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT[:1000])
    world.refused("it ends after 1000 of")


def test_a_range_that_begins_elsewhere_is_refused(world: World) -> None:
    whole = len(CONTENT)
    head = f"HTTP/1.1 206 x\r\nContent-Range: bytes 9-{whole - 1}/{whole}\r\n\r\n"
    world.vendor.answers["/p.zip"] = says(head.encode() + CONTENT[9:])
    world.refused("from 9 on")


def test_a_package_larger_than_the_disk_is_refused_before_it_comes(world: World) -> None:
    huge = 60 * 2**30
    world.vendor.answers["/p.zip"] = says(
        f"HTTP/1.1 200 OK\r\nContent-Length: {huge}\r\n\r\n".encode()
    )
    world.refused("MiB are needed on the disk", Wanted("w", "linux", "p.zip", huge, SHA256))


def test_without_a_hash_the_length_must_be_said_and_nothing_is_kept(world: World) -> None:
    unknown = Wanted("workstation", "linux", f"{world.vendor.address}/p.zip")
    world.vendor.give("/p.zip", CONTENT)
    assert world.fetch(unknown) == CONTENT
    world.vendor.answers["/p.zip"] = says(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT)
    world.refused("does not say how long it is", unknown)
    world.vendor.answers["/p.zip"] = says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234")
    world.refused("cannot fetch", unknown)
    assert world.left() == []


def test_a_hash_alone_is_held_against_what_comes(world: World) -> None:
    world.vendor.give("/p.zip", CONTENT)
    assert world.fetch(Wanted("w", "linux", "p.zip", sha256=SHA256)) == CONTENT
    world.refused("was expected", Wanted("w", "linux", "p.zip", sha256="0" * 64))


def test_a_folder_that_cannot_be_written_is_said_so(world: World, tmp_path: Path) -> None:
    world.vendor.give("/p.zip", CONTENT)
    world.folder.mkdir()
    (world.folder / f"{SHA256}.part").mkdir()
    world.refused("cannot keep p.zip in")


def test_what_nobody_went_on_with_for_a_week_is_deleted(tmp_path: Path) -> None:
    for name, days in (("old", 8), ("young", 6)):
        (tmp_path / f"{name}.part").write_bytes(b"x")
        at = time.time() - days * 86_400
        os.utime(tmp_path / f"{name}.part", (at, at))
    forget_old(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["young.part"]


def _order(world: World, wanted: Wanted = WANTED, version: str = "1.2") -> Order:
    def take_in(one: Wanted, file: Path) -> str:
        if file.read_bytes() != CONTENT:
            raise Complaint("cannot take it", "pack it again")
        return f"{version}/{one.role}"

    return Order("my-app", version, (wanted,), world.source, world.folder, take_in)


def _ended(downloads: Downloads, key: str) -> Download:
    until(lambda: _found(downloads, key).state is not DownloadState.UNDER_WAY)
    return _found(downloads, key)


def _found(downloads: Downloads, key: str) -> Download:
    found = downloads.find(key)
    assert found is not None
    return found


def test_a_download_is_followed_to_its_end(world: World) -> None:
    world.vendor.give("/p.zip", CONTENT)
    downloads = Downloads(world.waits.append)
    downloads.begin(_order(world), "d1")
    done = _ended(downloads, "d1")
    assert (done.state, done.targets, done.problem) == (
        DownloadState.DONE,
        ("1.2/workstation",),
        "",
    )
    assert done.bytes_done == done.bytes_total == len(CONTENT)
    assert downloads.find("nothing") is None


def test_a_download_that_fails_says_why(world: World) -> None:
    downloads = Downloads(world.waits.append)
    downloads.begin(_order(world), "d1")
    failed = _ended(downloads, "d1")
    assert failed.state is DownloadState.FAILED
    assert "404" in failed.problem
    assert failed.mend


def test_what_cannot_be_taken_in_is_deleted_and_said(world: World) -> None:
    world.vendor.give("/p.zip", b"other")
    other = Wanted("w", "linux", "p.zip", 5, hashlib.sha256(b"other").hexdigest())
    downloads = Downloads(world.waits.append)
    downloads.begin(_order(world, other), "d1")
    failed = _ended(downloads, "d1")
    assert (failed.problem, failed.mend) == ("cannot take it", "pack it again")
    assert world.left() == []


def test_one_comes_at_a_time_and_the_same_is_joined(world: World) -> None:
    go = threading.Event()
    world.vendor.give("/p.zip", CONTENT)
    give = world.vendor.answers["/p.zip"]
    world.vendor.answers["/p.zip"] = lambda handler: (go.wait(10), give(handler))[1]
    downloads = Downloads(world.waits.append)
    downloads.begin(_order(world), "d1")
    assert downloads.begin(_order(world), "d2").id == "d1"
    with pytest.raises(
        Complaint, match=r"cannot download my-app 1.3 yet: my-app 1.2 is under way"
    ):
        downloads.begin(_order(world, version="1.3"), "d3")
    go.set()
    assert _ended(downloads, "d1").state is DownloadState.DONE
    for n in range(60):
        downloads.begin(_order(world), f"e{n}")
        _ended(downloads, f"e{n}")
    assert downloads.find("d1") is None


def test_a_package_comes_from_a_folder_too(world: World, tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "p.zip").write_bytes(CONTENT)
    world.source = FolderSource(tmp_path / "share")  # type: ignore[assignment]
    assert world.fetch() == CONTENT
    (tmp_path / "share" / "p.zip").write_bytes(CONTENT[:-1])
    world.refused("bytes there")
