"""The daemon tidies once a day by itself; what it cannot judge it leaves, and says so."""

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from coordinator.model import Keep
from coordinator.store.marks import Marks
from coordinator.tidier import Tidier
from tests.api.real import copy_home, make_home
from tests.api.stores import Filled, filled

_YEAR = 2027


class Clock:
    """A time of day here, long after everything was added."""

    day, clock = 21, "03:00"

    def __call__(self) -> float:
        hour, minute = map(int, self.clock.split(":"))
        return datetime(_YEAR, 11, self.day, hour, minute).timestamp()  # noqa: DTZ001 - local


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Filled]:
    """An office with a release that was withdrawn long ago."""
    make_home(tmp_path / "made")
    office = copy_home(tmp_path / "made", tmp_path / "office")
    office.keep = Keep(days=90, releases=1)
    with office.open():
        made = filled(office, tmp_path)
        made.add("1.0")
        made.add("1.1")
        office.sign()
        made.withdraw("1.0")
        made.grown_old()
        yield made


def _tidier(made: Filled, clock: Clock) -> Tidier:
    return Tidier(made.office, Marks(made.real.database), clock)


def _tidied(made: Filled, tidier: Tidier) -> bool:
    """Return whether anything was deleted at a look, each look being made three times."""
    before = made.files()
    for _ in range(3):
        tidier.look()
        tidier.join(20)
    return made.files() != before


def test_it_tidies_once_a_day_also_when_it_was_not_up_at_the_hour(made: Filled) -> None:
    clock = Clock()
    tidier = _tidier(made, clock)
    assert not _tidied(made, tidier)  # not yet 03:30
    clock.clock = "11:00"
    assert _tidied(made, tidier)
    made.withdraw("1.1")
    made.add("1.2")
    made.grown_old()
    assert not _tidied(made, tidier)
    assert not _tidied(made, _tidier(made, clock))  # a daemon that was started anew
    clock.day = 22
    assert _tidied(made, _tidier(made, clock))


def test_what_it_cannot_judge_it_leaves_and_the_daemon_goes_on(
    made: Filled, caplog: pytest.LogCaptureFixture
) -> None:
    (one,) = made.manifests()
    (made.office.packages.blobs.folder("lists") / one.content_sha256).write_bytes(b"{")
    clock = Clock()
    clock.clock = "04:00"
    with caplog.at_level(logging.WARNING):
        assert not _tidied(made, _tidier(made, clock))
    assert [record.message for record in caplog.records] == ["cannot tidy up"]


def test_what_it_did_is_in_the_log(made: Filled, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _tidier(made, Clock()).round()
    (record,) = [r for r in caplog.records if r.message == "tidied up"]
    assert record.__dict__["releases"] == "office-maker 1.0"
    assert record.__dict__["bytes"] > 10_000
