"""The daily look at the feeds: once a day, told once, and delaying nothing."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from coordinator.api.asks import PackageAsk
from coordinator.lookout import Lookout
from coordinator.store.marks import Marks
from coordinator.store.outbox import MailRow, NoticeKind, Outbox
from tests.api.real import APP, RealOffice, copy_home, make_home, make_zip
from tests.releases.vendor import Vendor, a_release

IT, BOSS = "it@office.example", "boss@office.example"


@dataclass
class Clock:
    """A time of day here."""

    day: int = 21
    clock: str = "06:00"

    def __call__(self) -> float:
        hour, minute = map(int, self.clock.split(":"))
        return datetime(2026, 11, self.day, hour, minute).timestamp()  # noqa: DTZ001 - local


@dataclass
class World:
    """An office whose daemon looks at 06:30."""

    office: RealOffice
    vendor: Vendor
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.office.database, (IT, BOSS))
        self.office.feeds[APP] = f"{self.vendor.address}/feed.json"
        self.offer("1.1", "1.2")
        self.lookout = self.daemon()

    def daemon(self, at: str = "06:30") -> Lookout:
        marks = Marks(self.office.database)
        return Lookout(self.office.office(), at, self.outbox, marks, self.clock)

    def offer(self, *versions: str) -> None:
        self.vendor.feed(app=APP, releases=[a_release(v) for v in versions])

    def look(self, day: int, clock: str, lookout: Lookout | None = None) -> int:
        """Return how often the vendor was asked, then."""
        self.clock.day, self.clock.clock = day, clock
        before = len(self.vendor.asked)
        for _ in range(3):
            (lookout or self.lookout).look()
            (lookout or self.lookout).join(20)
        return len(self.vendor.asked) - before

    def mails(self) -> list[MailRow]:
        return self.outbox.latest()[::-1]


@pytest.fixture
def world(tmp_path: Path, vendor: Vendor) -> Iterator[World]:
    """The office, and a vendor that is up."""
    make_home(tmp_path / "made")
    with copy_home(tmp_path / "made", tmp_path / "office").open() as office:
        yield World(office, vendor)


def test_feeds_are_looked_at_once_a_day_from_the_time_that_is_set(world: World) -> None:
    assert world.look(21, "06:29") == 0
    assert world.look(21, "06:30") == 1
    assert world.look(21, "23:59") == 0
    assert world.look(22, "00:10") == 0
    assert world.look(22, "09:00") == 1  # it was not up at 06:30


def test_a_daemon_that_was_started_anew_does_not_look_again(world: World) -> None:
    assert world.look(21, "07:00") == 1
    again = world.daemon()
    assert world.look(21, "08:00", again) == 0
    assert world.look(22, "07:00", again) == 1


def test_without_a_time_or_a_feed_nothing_is_looked_at(world: World) -> None:
    assert world.look(21, "07:00", world.daemon("")) == 0
    world.office.feeds.clear()
    assert world.look(21, "07:00", world.daemon()) == 0
    assert Marks(world.office.database).read("feeds looked at") == ""


def test_a_newer_release_is_told_once_to_all_who_are_told(world: World) -> None:
    world.look(21, "07:00")
    mails = world.mails()
    assert {mail.recipient for mail in mails} == {IT, BOSS}
    assert {mail.kind for mail in mails} == {NoticeKind.RELEASE}
    assert mails[0].event == f"release/{APP} 1.2"
    assert mails[0].detail.startswith("2026-11-01; What is new in 1.2")
    assert mails[0].mend == (
        f"roundsman release notes {APP} 1.2, then roundsman release add {APP} 1.2"
    )
    world.look(22, "07:00")
    world.look(23, "07:00", world.daemon())
    assert len(world.mails()) == 2
    world.offer("1.1", "1.2", "1.3")
    world.look(24, "07:00")
    assert [mail.event for mail in world.mails()[2:]] == [f"release/{APP} 1.3"] * 2


def test_what_was_added_already_is_not_told(world: World, tmp_path: Path) -> None:
    with world.office.client() as client:
        client.add_package(PackageAsk(app=APP, version="1.2"), make_zip(tmp_path / "r.zip"))
    world.look(21, "07:00")
    assert world.mails() == []


def test_a_feed_that_cannot_be_read_keeps_nothing_from_the_others(world: World) -> None:
    world.office.feeds["a-broken-one"] = "/nonexistent"
    world.look(21, "07:00")
    assert len(world.mails()) == 2


def test_a_slow_feed_delays_nothing(world: World) -> None:
    go = threading.Event()
    give = world.vendor.answers["/feed.json"]
    world.vendor.answers["/feed.json"] = lambda handler: (go.wait(20), give(handler))[1]
    world.clock.clock = "07:00"
    world.lookout.look()
    world.clock.day = 22
    for _ in range(100):
        world.lookout.look()
    assert world.mails() == []
    go.set()
    world.lookout.join(20)
    assert len(world.mails()) == 2
    assert len(world.vendor.asked) == 1


def test_what_is_remembered_stays(world: World) -> None:
    marks = Marks(world.office.database)
    assert marks.read("x") == ""
    marks.write("x", "1")
    marks.write("x", "2")
    assert Marks(world.office.database).read("x") == "2"
