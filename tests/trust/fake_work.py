"""What a download is given of a step's `Work`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from agent.steps.table import Folders, Work


@dataclass
class Disk:
    """A platform that knows how much is free, and nothing else."""

    free: int

    def free_bytes(self, folder: Path) -> int:
        return self.free


@dataclass
class FakeWork:
    folders: Folders
    platform: Disk
    told: list[tuple[int, int]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def progress(self, done: int, total: int) -> None:
        self.told.append((done, total))

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


def make_work(downloads: Path, free: int = 10**12) -> tuple[Work, FakeWork]:
    """Return the same object twice: as a step sees it, and as a test does."""
    downloads.mkdir(parents=True, exist_ok=True)
    fake = FakeWork(Folders(*[downloads] * 6), Disk(free))
    return cast("Work", fake), fake
