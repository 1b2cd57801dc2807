"""The data that the stand-in's office shares: migrated once, read one way, judged."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.standin.world import World, end


@contextmanager
def _walked(world: World) -> Iterator[None]:
    """A whole rollout by hand, watched; the block comes after the last visit."""
    with world.watched():
        world.open_everything()
        world.close_everything()
        for desk in world.desks:
            world.visit(desk)
        yield


def test_the_first_service_manager_of_a_release_migrates_the_data_and_no_other(
    world: World,
) -> None:
    share = world.share_data(one_way=True)
    with _walked(world):
        world.open_managers()

    assert (share.folder / "schema").read_text() == "1.1\n"
    assert (share.folder / "ledger.db").read_bytes().count(b"migrated to 1.1") == 1
    assert world.kinds() == set()


@pytest.mark.parametrize("one_way", [True, False])
def test_an_older_service_manager_starts_on_newer_data_only_when_it_reads_it(
    world: World, one_way: bool
) -> None:
    share, desk = world.share_data(one_way=one_way), world.desks[0]
    (share.folder / "schema").write_text("1.1\n")

    if one_way:
        manager = desk.run("servicemanager.py")
        assert "the data is of schema 1.1, newer than 1.0" in end(manager)
    else:
        desk.open_manager()
        assert desk.ask()["version"] == "1.0"


def _all_back(world: World) -> None:
    for desk in world.desks:
        old = next(desk.place.glob("*_old"))
        desk.folder.rename(desk.place / "undone")  # a rename is seen to the moment; a removal not
        old.rename(desk.folder)
        desk.expected = "1.0"


def _restored(world: World, backup: Path, share: Path) -> None:
    shutil.rmtree(share)
    shutil.copytree(backup, share)
    _all_back(world)


def test_data_that_goes_one_way_must_be_as_it_was_when_all_go_back(world: World) -> None:
    share = world.share_data(one_way=True)
    backup = world.base / "backup"
    with world.watched():
        world.open_everything()
        world.close_everything()
        shutil.copytree(share.folder, backup)
        for desk in world.desks:
            world.visit(desk)
        _restored(world, backup, share.folder)
        world.open_managers()
    world.note_end()
    assert world.kinds() == set()

    (share.folder / "schema").write_text("1.1\n")
    assert world.kinds() == {"data-not-restored"}


def test_work_that_was_saved_in_the_shared_journal_and_is_not_there_is_lost(world: World) -> None:
    share = world.share_data(one_way=True)
    with _walked(world):
        world.open_managers()
        (share.folder / "journal.txt").write_text("")

    assert world.kinds() == {"lost-work"}


def test_data_that_was_migrated_twice_is_a_violation(world: World) -> None:
    share = world.share_data(one_way=True)
    with _walked(world):
        world.open_managers()
        with (share.folder / "ledger.db").open("ab") as ledger:
            ledger.write(b"\nmigrated to 1.1")

    assert world.kinds() == {"data-not-migrated"}
