"""The power is cut: the office lies on an ext4 image, and what was not synced is gone.

The agent is killed at a call and the image behind the mount is copied at once: blocks that only
the kernel's memory held are not in the copy. The copy is mounted, as after a reboot.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.diskfaults.bench import Bench
from tests.diskfaults.judge import Baseline, Judge
from tests.diskfaults.office import Variant

_IMAGE_BYTES = 24 * 2**20
_OPTIONS = "loop,commit=300"  # nothing gets to the disk by the clock alone


class NoPowerCut(Exception):  # noqa: N818
    """Power cuts cannot be tried here, and why."""


class PowerBench(Bench):
    """A bench whose office is on an image; what `Bench` has saved is used again."""

    def __init__(self, folder: Path, before: Mapping[Variant, Baseline]) -> None:
        super().__init__(folder, before)
        self._images = folder / "images"
        self._images.mkdir(exist_ok=True)
        self._live, self._cut = folder / "live.img", folder / "cut.img"
        self._mounted = False

    def restore(self, name: str) -> Judge:
        """Have the office as it was saved, on a disk of its own."""
        self.release()
        image = self._images / f"{name}.img"
        if not image.exists():
            self._make(image, self.folder / "saved" / name)
        _run("cp", "--sparse=always", str(image), str(self._live))
        self._mount(self._live)
        return self._judge()

    def after_strike(self) -> None:
        """Cut the power, and switch it on again."""
        _run("cp", "--sparse=always", str(self._live), str(self._cut))
        self.release()
        self._mount(self._cut)

    def release(self) -> None:
        """Unmount, if it is mounted."""
        if self._mounted:
            _run("umount", str(self.place.root))
            self._mounted = False

    def check(self) -> None:
        """Raise `NoPowerCut` unless a cut loses what was not synced, and only that."""
        self.restore(Variant.FOLDER)
        synced, unsynced = self.place.root / "synced", self.place.root / "unsynced"
        unsynced.write_bytes(b"lost" * 4096)
        with synced.open("wb") as file:
            file.write(b"kept")
            os.fsync(file.fileno())
        (self.place.root / "after").write_bytes(b"lost" * 4096)
        self.after_strike()
        kept, lost = synced.exists(), (self.place.root / "after").exists()
        whole = unsynced.exists() and unsynced.read_bytes() == b"lost" * 4096
        self.release()
        if not kept or lost or whole:
            raise NoPowerCut(f"cannot cut the power: {kept=} {lost=} {whole=}, not True, no, no")

    def _make(self, image: Path, saved: Path) -> None:
        with image.open("wb") as file:
            file.truncate(_IMAGE_BYTES)
        _run("mkfs.ext4", "-q", "-F", str(image))
        self._mount(image)
        _run("cp", "-a", f"{saved}/.", str(self.place.root))
        self.release()

    def _mount(self, image: Path) -> None:
        shutil.rmtree(self.place.root, ignore_errors=True)
        self.place.root.mkdir()
        _run("mount", "-o", _OPTIONS, str(image), str(self.place.root))
        self._mounted = True


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPowerCut(f"cannot cut the power: {' '.join(words[:3])}: {done.stderr.strip()}")
