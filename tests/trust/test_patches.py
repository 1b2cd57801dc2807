"""Patches are made in the background, from the newest packages before, and only where they pay."""

import os
from pathlib import Path

import pytest

from agent.wire import zstd
from agent.wire.manifest import Manifest
from agent.wire.parts import Parts, read_parts
from coordinator.releases.packages import Label, PackageStore
from coordinator.releases.patches import Patcher
from tests.trust.office import make_zip
from tests.trust.workstation import changed, noise
from tests.until import until


class Shelf:
    """A store of packages; each that is added is newer than the one before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._added = 0
        self.store = PackageStore(folder / "store")

    def add(self, content: bytes, app: str = "standin") -> Manifest:
        self._added += 1
        make_zip(self._folder / f"{self._added}.zip", {"bin/app": content})
        return self.again(app)

    def again(self, app: str = "standin") -> Manifest:
        """Add the last one once more."""
        file = self._folder / f"{self._added}.zip"
        manifest = self.store.build(file, Label(app, str(self._added), "any", "linux"))
        listed = self._folder / "store" / "lists" / manifest.content_sha256
        os.utime(listed, (self._added, self._added))
        return manifest

    def parts(self, manifest: Manifest) -> Parts:
        path = self.store.blobs.parts(manifest.content_sha256)
        assert path is not None
        return read_parts(path.read_bytes())

    def bases(self, manifest: Manifest) -> list[str]:
        Patcher(self.store.blobs).make_missing()
        return [patch.base for patch in self.parts(manifest).patches]

    def patch_files(self) -> list[Path]:
        return sorted((self._folder / "store" / "patches").iterdir())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_patches_are_made_while_nobody_waits_for_them(shelf: Shelf) -> None:
    old = noise(1, 50_000)
    with Patcher(shelf.store.blobs):
        shelf.add(old)
        manifest = shelf.add(changed(old))
        assert shelf.parts(manifest).patches == ()
        until(lambda: shelf.parts(manifest).patches != ())
    (patch,) = shelf.parts(manifest).patches
    assert patch.size == shelf.patch_files()[0].stat().st_size < 5_000


def test_patches_are_made_from_the_last_three_packages_of_the_same_app(shelf: Shelf) -> None:
    content = noise(1, 50_000)
    shelf.add(content, app="another")
    old = []
    for seed in range(4):
        content = changed(content, seed)
        old.append(shelf.add(content).files[0].sha256)

    manifest = shelf.add(changed(content, 9))

    assert shelf.bases(manifest) == old[:0:-1]


def test_a_file_that_has_little_in_common_with_the_one_before_has_no_patch(shelf: Shelf) -> None:
    shelf.add(noise(1, 50_000))
    assert shelf.bases(shelf.add(noise(2, 50_000))) == []
    assert shelf.patch_files() == []


def test_a_file_that_is_sent_in_a_moment_has_no_patch(shelf: Shelf) -> None:
    shelf.add(noise(1, 2_000))
    assert shelf.bases(shelf.add(noise(1, 2_001))) == []


@pytest.mark.parametrize("base", [b"x", b"1234567", b"", b"\x37\xa4\x30\xec" + bytes(100)])
def test_any_file_may_be_a_base(shelf: Shelf, base: bytes) -> None:
    shelf.add(base)
    shelf.bases(shelf.add(noise(2, 50_000) + base))


def test_a_package_that_comes_again_has_its_patches_and_none_is_made_twice(shelf: Shelf) -> None:
    old = noise(1, 50_000)
    shelf.add(old)
    first = shelf.add(changed(old))
    bases = shelf.bases(first)
    made = [path.stat().st_mtime_ns for path in shelf.patch_files()]

    again = shelf.again()

    assert shelf.bases(again) == bases != []
    assert [path.stat().st_mtime_ns for path in shelf.patch_files()] == made


@pytest.mark.parametrize("harm", ["damaged", "lost", "list"])
def test_what_cannot_be_patched_is_left_to_its_blobs(shelf: Shelf, harm: str) -> None:
    old = noise(1, 50_000)
    before = shelf.add(old)
    manifest = shelf.add(changed(old))
    blobs = shelf.store.blobs
    blob = blobs.blob(before.content_sha256, before.files[0].sha256)
    assert blob is not None
    if harm == "damaged":
        blob.write_bytes(b"no frame at all, but long enough to be one")
    elif harm == "lost":
        blob.unlink()
    else:
        blob.parents[1].joinpath("lists", manifest.content_sha256).write_bytes(b"{")

    assert shelf.bases(manifest) == []
    assert blobs.unpatched() == []


def test_a_stop_between_two_files_leaves_the_rest_for_the_next_start(shelf: Shelf) -> None:
    old = noise(1, 50_000)
    shelf.add(old)
    manifest = shelf.add(changed(old))
    patcher = Patcher(shelf.store.blobs)
    with patcher:
        pass

    patcher.make_missing()

    assert manifest.content_sha256 in shelf.store.blobs.unpatched()
    assert len(shelf.bases(manifest)) == 1


def test_a_patch_gives_the_new_file_where_the_old_is(shelf: Shelf) -> None:
    old = noise(1, 50_000)
    shelf.add(old)
    shelf.bases(shelf.add(changed(old)))

    with shelf.patch_files()[0].open("rb") as frame:
        assert zstd.Opened(frame, len(changed(old)), old).read(10**6) == changed(old)
