"""What a download is given of a step's `Work`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from agent.steps.table import Cancelled, Folders, Work
from agent.wire.contract import NO_PROFILE, StepParams


@dataclass
class Disk:
    """A platform that knows how much is free, and a time that passes at pauses only."""

    free: int
    now: float = 0.0

    def clock(self) -> float:
        return self.now

    def free_bytes(self, folder: Path) -> int:
        return self.free


@dataclass
class FakeWork:
    folders: Folders
    platform: Disk
    params: StepParams
    told: list[tuple[int, int]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    end_at_pause: int = 0  # at the nth pause the step is told to end; 0 = never
    facts: dict[str, str] = field(default_factory=dict)
    ticket: str = ""

    def fact(self, key: str, value: str) -> None:
        self.facts[key] = value

    def progress(self, done: int, total: int) -> None:
        self.told.append((done, total))

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.platform.now += seconds
        if len(self.pauses) == self.end_at_pause:
            raise Cancelled("ended because it was asked to")


def make_work(downloads: Path, free: int = 10**12, rate: int = 0) -> tuple[Work, FakeWork]:
    """Return the same object twice: as a step sees it, and as a test does."""
    downloads.mkdir(parents=True, exist_ok=True)
    fake = FakeWork(Folders(*[downloads] * 7), Disk(free), StepParams(NO_PROFILE, rate=rate))
    return cast("Work", fake), fake
