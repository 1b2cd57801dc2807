"""The witness judges real walks: silent when all is well, and no kind of violation escapes it."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.standin.witness import GUARD_SECONDS
from tests.standin.world import Desk, World, end
from tests.until import until


def walk(world: World) -> None:
    """Do a whole rollout by hand, well."""
    world.open_everything()
    world.close_everything()
    for desk in world.desks:
        world.visit(desk)
    world.open_managers()


def test_a_good_walk_has_no_violation_and_each_host_its_change(world: World) -> None:
    with world.watched():
        walk(world)
    verdict = world.judge()
    assert verdict["violations"] == []
    for host in verdict["hosts"]:
        assert host["app"] == host["service_manager"] == "1.1"
        [[begin, finish]] = host["changed"]
        assert 0 <= finish - begin < 5


def test_a_host_that_is_rolled_back_and_left_closed_is_no_violation(world: World) -> None:
    first = world.desks[0]
    for desk in world.desks:
        desk.expected, desk.running = "1.0", False
    with world.watched():
        world.open_everything()
        world.close_everything()
        world.visit(first)
        shutil.rmtree(first.folder)
        next(first.place.glob("*_old")).rename(first.folder)
    verdict = world.judge()
    assert verdict["violations"] == []
    assert [len(host["changed"]) for host in verdict["hosts"]] == [2, 0]


def test_a_relaunch_that_is_closed_at_once_is_told_and_is_no_violation(world: World) -> None:
    first, second = world.desks
    with world.watched():
        world.visit(first)
        relaunched = second.open_app("paul", "--stubborn")
        relaunched.kill()
        end(relaunched)
        world.visit(second)
        world.open_managers()
    verdict = world.judge()
    assert verdict["violations"] == []
    assert [relaunch["pid"] for relaunch in verdict["relaunches"]] == [relaunched.pid]


def outlast_the_guard(desk: Desk) -> None:
    """Return once what was opened last is older than a guard would let it become."""
    opened = float(desk.lines()[-1][2])
    until(lambda: time.time() > opened + GUARD_SECONDS + 0.1)


def client_elsewhere(world: World) -> None:
    first, second = world.desks
    second.open_app("paul")
    outlast_the_guard(second)
    world.visit(first)
    second.close()
    world.visit(second)
    world.open_managers()


def manager_elsewhere(world: World) -> None:
    first, second = world.desks
    second.open_manager()
    outlast_the_guard(second)
    world.visit(first)
    second.close()
    world.visit(second)
    world.open_managers()


def opened_here(world: World) -> None:
    first, second = world.desks
    open_here = first.open_app("paul")
    outlast_the_guard(first)
    first.swap(world.release("1.1"))
    world.visit(second)
    open_here.terminate()
    end(open_here)
    world.open_managers()


def two_managers_at_once(world: World) -> None:
    first, second = world.desks
    first.swap(world.release("1.1"))
    first.open_manager()
    second.swap(world.release("1.1"))
    second.open_manager()


def half_updated(world: World) -> None:
    walk(world)
    versions = world.desks[0].folder / "VERSION"
    versions.write_text("app=1.1\nservice_manager=1.0\n")


@pytest.mark.parametrize(
    ("misdeed", "kind"),
    [
        (client_elsewhere, "open-while-mixed"),
        (manager_elsewhere, "open-elsewhere"),
        (opened_here, "open-here"),
        (two_managers_at_once, "open-elsewhere"),
        (half_updated, "version"),
    ],
)
def test_a_walk_that_goes_wrong_is_found_out(
    world: World, misdeed: Callable[[World], None], kind: str
) -> None:
    with world.watched():
        misdeed(world)
    assert kind in world.kinds()


def test_a_violation_says_who_where_and_from_when_to_when(world: World) -> None:
    with world.watched():
        client_elsewhere(world)
    found = [v for v in world.judge()["violations"] if v["kind"] == "open-elsewhere"]
    assert [(v["host"], v["other"]) for v in found] == [("PC-01", "PC-02")]
    assert found[0]["from"] < found[0]["to"]
    assert "the client of paul on PC-02" in found[0]["detail"]


def test_a_client_ended_by_force_counts_as_open_until_it_was_last_seen_alive(
    world: World,
) -> None:
    first, second = world.desks
    with world.watched():
        stubborn = second.open_app("paul", "--stubborn")
        outlast_the_guard(second)
        world.visit(first)
        stubborn.send_signal(signal.SIGKILL)
        end(stubborn)
        world.visit(second)
        world.open_managers()
    violations = world.judge()["violations"]
    assert {v["host"] for v in violations if v["kind"] == "open-elsewhere"} == {"PC-01"}


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    times = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def touch(file: Path) -> None:
    os.utime(file)


def open_to_all(file: Path) -> None:
    file.chmod(0o666)


def remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("harm", "path"),
    [
        (flip_a_bit, "prefs/marie.json"),
        (flip_a_bit, "certs/server.pem"),
        (touch, "prefs/paul.json"),
        (open_to_all, "certs/server.pem"),
        (remove, "data/table2.db"),
    ],
)
def test_what_the_host_owns_is_the_same_to_the_last_bit_or_it_is_a_violation(
    world: World, harm: Callable[[Path], None], path: str
) -> None:
    undisturbed(world)
    world.note()
    harm(world.desks[0].folder / path)
    assert "not-kept" in world.kinds()


def foreign_file(desk: Desk) -> None:
    (desk.folder / "lib" / "more.dat").write_bytes(b"")


def wrong_library(desk: Desk) -> None:
    flip_a_bit(desk.folder / "lib" / "module100.dat")


def lost_library(desk: Desk) -> None:
    (desk.folder / "lib" / "module007.dat").unlink()


@pytest.mark.parametrize("harm", [foreign_file, wrong_library, lost_library])
def test_the_app_is_the_release_and_nothing_else(
    world: World, harm: Callable[[Desk], None]
) -> None:
    undisturbed(world)
    world.note()
    harm(world.desks[0])
    assert "content" in world.kinds()


def undisturbed(world: World) -> None:
    for desk in world.desks:
        desk.expected, desk.running = "1.0", False


def test_work_that_was_saved_and_is_gone_is_a_violation(world: World) -> None:
    undisturbed(world)
    world.note()
    desk = world.desks[0]
    desk.open_app("paul")
    desk.close()
    (desk.folder / "data" / "paul.txt").write_text("")
    assert "lost-work" in world.kinds()


def test_a_service_manager_that_is_not_back_is_a_violation(world: World) -> None:
    with world.watched():
        walk(world)
        world.desks[1].close()
    assert "not-back" in world.kinds()


def test_a_service_manager_of_the_old_release_is_not_back(world: World) -> None:
    with world.watched():
        for desk in world.desks:
            desk.open_manager()
            desk.swap(world.release("1.1"))
    assert "not-back" in world.kinds()


def test_what_is_open_on_a_host_that_is_to_be_closed_is_a_violation(world: World) -> None:
    undisturbed(world)
    with world.watched():
        world.desks[0].open_app()
        world.desks[1].open_manager()
    found = [v["host"] for v in world.judge()["violations"] if v["kind"] == "not-closed"]
    assert set(found) == {"PC-01", "PC-02"}


def test_a_walk_that_nobody_watched_is_not_called_good(world: World) -> None:
    world.note()
    walk(world)
    assert "not-watched" in world.kinds()


def test_a_change_after_the_watcher_has_gone_is_not_called_good(world: World) -> None:
    with world.watched():
        walk(world)
    world.desks[0].swap(world.release("1.1"))
    assert "not-watched" in world.kinds()
