"""A folder as a vendor's place: what is in it can be read, and nothing else."""

import os
import socket
import threading
from pathlib import Path

import pytest

from coordinator.releases.limit import in_time
from coordinator.releases.source import Away, FolderSource, NotGiven


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder with a feed and a package, and a secret beside it."""
    folder = tmp_path / "share"
    (folder / "packages").mkdir(parents=True)
    (folder / "feed.json").write_bytes(b"{}")
    (folder / "packages" / "a.zip").write_bytes(b"0123456789")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return folder


def test_the_feed_and_what_lies_below_are_read(share: Path) -> None:
    source = FolderSource(share)
    assert source.read("", 10) == b"{}"
    assert source.read("packages/a.zip", 4) == b"01234"
    with source.opened("packages/a.zip", 7) as body:
        assert (body.start, body.total, b"".join(body.chunks)) == (7, 10, b"789")


@pytest.mark.parametrize(
    "place",
    [
        "../secret.txt",
        "packages/../../secret.txt",
        "/etc/passwd",
        "..\\secret.txt",
        "C:\\secret.txt",
        "C:secret.txt",
        "file:///etc/passwd",
        "https://vendor.example/a.zip",
        "a\x00b",
        "a\x1b[2J",
    ],
)
def test_nothing_outside_is_read(share: Path, place: str) -> None:
    with pytest.raises(NotGiven, match="must be a path below") as caught:
        FolderSource(share).read(place, 10)
    assert caught.value.error.isprintable()
    with pytest.raises(NotGiven), FolderSource(share).opened(place, 0):
        pass


@pytest.mark.parametrize("name", ["link.zip", "folder/secret.txt"])
def test_a_link_is_not_followed(share: Path, name: str) -> None:
    (share / "link.zip").symlink_to(share.parent / "secret.txt")
    (share / "folder").symlink_to(share.parent)
    with pytest.raises(NotGiven, match="it is a link"):
        FolderSource(share).read(name, 10)


def test_a_feed_that_is_a_link_is_not_followed(share: Path) -> None:
    (share / "feed.json").unlink()
    (share / "feed.json").symlink_to(share.parent / "secret.txt")
    with pytest.raises(NotGiven, match="it is a link"):
        FolderSource(share).read("", 10)


def test_the_folder_itself_may_be_a_link(share: Path) -> None:
    (share.parent / "drive").symlink_to(share)
    assert FolderSource(share.parent / "drive").read("", 10) == b"{}"


def test_what_is_no_plain_file_is_not_waited_for(share: Path) -> None:
    os.mkfifo(share / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(share / "socket"))
    for name in ("pipe", "packages"):
        with pytest.raises(NotGiven):
            FolderSource(share).read(name, 10)
    with pytest.raises(Away):
        FolderSource(share).read("socket", 10)


def test_a_share_that_lets_nobody_go_is_left() -> None:
    gone = threading.Event()
    with pytest.raises(TimeoutError):
        in_time(lambda: gone.wait(20), 0.1)
    gone.set()
    assert in_time(lambda: "there", 20) == "there"


def test_what_is_absent_or_locked_is_said_so(share: Path) -> None:
    with pytest.raises(NotGiven, match="No such file") as caught:
        FolderSource(share / "absent").read("", 10)
    assert "look whether the share is there" in caught.value.mend
    with pytest.raises(NotGiven, match="Not a directory"):
        FolderSource(share).read("feed.json/x", 10)
