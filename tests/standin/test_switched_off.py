"""Hosts with a process table of their own: one that is switched off has nothing running."""

import json

from tests.standin.world import World
from tests.until import until


def test_on_a_host_that_is_switched_off_nothing_runs_and_nobody_looked_away(world: World) -> None:
    first = world.desks[0]
    first.proc = world.base / "proc"
    first.proc.symlink_to("/proc")
    for desk in world.desks:
        desk.expected, desk.running = "1.0", False
    with world.watched():
        client = first.open_app()
        first.proc.unlink()
        first.proc.symlink_to(world.base / "nowhere")
        until(lambda: str(client.pid) in " ".join(gone(world)), 20, "the watcher sees it gone")
    verdict = world.judge()
    assert verdict["violations"] == []
    assert client.poll() is None  # by that number another process may run here


def test_a_host_whose_app_is_not_judged_may_have_it_open_or_closed(world: World) -> None:
    first = world.desks[0]
    for desk in world.desks:
        desk.expected, desk.running = "1.0", None
    with world.watched():
        first.open_manager()
    assert world.judge()["violations"] == []


def gone(world: World) -> list[str]:
    """Return the processes that the watcher has seen go unannounced."""
    record = (world.base / "record.jsonl").read_text("utf-8").splitlines()
    return [str(fact["gone"]) for fact in map(json.loads, record) if "gone" in fact]
