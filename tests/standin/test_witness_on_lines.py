"""The witness reads times from lines and looks: each rule, to the hundredth of a second."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from coordinator.standin.witness import BLIND_SECONDS, judge

Json = dict[str, Any]
NOW = 1_800_000_000.0


class Story:
    """Two hosts, what their programs wrote, and what the watcher saw of them."""

    def __init__(self, place: Path) -> None:
        self.hosts: list[Json] = []
        self.facts: list[Json] = [{"time": NOW + s / 2, "beat": True} for s in range(201)]
        for name in ("PC-01", "PC-02"):
            folder = place / name / "office"
            folder.mkdir(parents=True)
            about = {"name": name, "folder": str(folder), "before": "1.0", "expected": "1.1"}
            self.hosts.append({**about, "evidence": str(place / f"{name}.log"), "running": True})
            self.saw(name, 0, 1, "1.0")

    def saw(self, host: str, at: float, folder: int | None, app: str, **more: float) -> None:
        """Note a look that differs from the one 20 ms before it."""
        times = {"time": NOW + at, "from": NOW + at - 0.02, "away": None, "arrived": None}
        told = {key: NOW + moment for key, moment in more.items()}
        self.facts.append({**times, **told, "host": host, "folder": folder, "app": app})

    def changed(self, host: str, begin: float, finish: float, app: str = "1.1") -> None:
        """Note that a host's folder was away from `begin` to `finish`."""
        self.saw(host, begin + 0.02, None, "", away=begin)
        self.saw(host, finish + 0.02, 2 if app == "1.1" else 1, app, arrived=finish)

    def was_open(self, host: str, begin: float, finish: float, role: str = "client") -> None:
        """Write the lines of one process; one that never ends writes no second line."""
        pid = 4_000_000 + round(begin * 1000)
        words = f"{pid} {{:.6f}} 1.0 {role} paul\n"
        with Path(self._evidence(host)).open("a", encoding="utf-8") as log:
            log.write("open " + words.format(NOW + begin))
            if math.isfinite(finish):
                log.write("close " + words.format(NOW + finish))

    def was_killed(self, host: str, begin: float, alive: float) -> None:
        """Write the line of a process that was ended by force, and when it was last seen."""
        self.was_open(host, begin, math.inf)
        pid = 4_000_000 + round(begin * 1000)
        moments = {"opened": NOW + begin, "alive": NOW + alive}
        self.facts.append({"time": NOW + alive, "host": host, "gone": pid, **moments})

    def found(self) -> list[tuple[str, str, str]]:
        """Return kind, host and other of each violation, but for what a watcher must see."""
        violations, _relaunches, _spans = judge(self.hosts, self._in_order())
        return [(v.kind, v.host, v.other) for v in violations if v.kind != "not-watched"]

    def relaunches(self) -> int:
        return len(judge(self.hosts, self._in_order())[1])

    def not_watched(self) -> list[str]:
        violations, _relaunches, _spans = judge(self.hosts, self._in_order())
        return [v.detail for v in violations if v.kind == "not-watched"]

    def _evidence(self, host: str) -> str:
        return str(next(h["evidence"] for h in self.hosts if h["name"] == host))

    def _in_order(self) -> list[Json]:
        return sorted(json.loads(json.dumps(self.facts)), key=lambda fact: float(fact["time"]))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def walked(story: Story) -> Story:
    """PC-01 is changed from 10 to 11, PC-02 from 20 to 21; service managers two seconds later."""
    story.changed("PC-01", 10, 11)
    story.was_open("PC-01", 13, 15, "service-manager")
    story.changed("PC-02", 20, 21)
    story.was_open("PC-02", 23, 25, "service-manager")
    return story


def test_a_walk_by_the_book_is_good(story: Story) -> None:
    walked(story)
    story.was_open("PC-01", 1, 9.5)
    story.was_open("PC-02", 1, 9.9, "service-manager")
    story.was_open("PC-01", 26, math.inf)
    assert story.found() == []
    assert story.relaunches() == 0


@pytest.mark.parametrize("role", ["client", "service-manager", "updater"])
@pytest.mark.parametrize(("begin", "finish"), [(1, 10.5), (9, 30), (12, 13.2), (10.3, math.inf)])
def test_nobody_may_be_open_elsewhere_until_the_changed_host_is_back(
    story: Story, role: str, begin: float, finish: float
) -> None:
    walked(story)
    story.was_open("PC-02", begin, finish, role)
    assert ("open-elsewhere", "PC-01", "PC-02") in story.found()


@pytest.mark.parametrize(("closed_after", "found"), [(0.99, 0), (1.01, 1)])
def test_a_relaunch_may_live_one_second_and_no_longer(
    story: Story, closed_after: float, found: int
) -> None:
    walked(story)
    story.was_open("PC-02", 10.5, 10.5 + closed_after)
    assert len([kind for kind, _, _ in story.found() if kind == "open-elsewhere"]) == found
    assert story.relaunches() == 1 - found


@pytest.mark.parametrize(("alive_for", "found"), [(0.99, 0), (1.01, 1)])
def test_a_relaunch_ended_by_force_counts_as_long_as_it_was_seen_alive(
    story: Story, alive_for: float, found: int
) -> None:
    walked(story)
    story.was_killed("PC-02", 10.5, 10.5 + alive_for)
    assert len([kind for kind, _, _ in story.found() if kind == "open-elsewhere"]) == found


@pytest.mark.parametrize("role", ["client", "updater"])
def test_what_is_open_between_two_visits_is_open_on_a_mixed_group(story: Story, role: str) -> None:
    walked(story)
    story.was_open("PC-01", 16, 18, role)
    assert story.found() == [("open-while-mixed", "PC-01", "")]


def test_the_group_is_mixed_until_the_last_service_manager_is_back(story: Story) -> None:
    walked(story)
    story.was_open("PC-01", 21.5, 22.9)
    assert ("open-elsewhere", "PC-02", "PC-01") in story.found()


def test_the_app_may_not_be_open_on_the_host_that_is_being_changed(story: Story) -> None:
    walked(story)
    story.was_open("PC-02", 19, 20.5, "service-manager")
    assert ("open-here", "PC-02", "") in story.found()


def test_two_service_managers_may_not_be_open_at_once_while_the_group_is_mixed(
    story: Story,
) -> None:
    walked(story)
    story.was_open("PC-02", 13.5, 16, "service-manager")
    assert story.found() == [("two-service-managers", "PC-01", "PC-02")]


def test_two_hosts_may_not_be_changed_at_once(story: Story) -> None:
    story.changed("PC-01", 10, 12)
    story.changed("PC-02", 11, 13)
    assert story.found() == [("two-at-once", "PC-01", "PC-02")]


def test_a_change_that_never_ends_keeps_everybody_out(story: Story) -> None:
    story.saw("PC-01", 10, None, "")
    story.was_open("PC-02", 60, 62)
    assert ("open-elsewhere", "PC-01", "PC-02") in story.found()


def test_after_a_host_went_back_the_group_may_re_open_in_any_order(story: Story) -> None:
    story.changed("PC-01", 10, 11)
    story.changed("PC-01", 12, 13, "1.0")
    story.was_open("PC-02", 14, math.inf, "service-manager")
    story.was_open("PC-01", 16, math.inf, "service-manager")
    assert story.found() == []


def test_files_changed_in_place_are_a_change_from_one_look_to_the_next(story: Story) -> None:
    story.saw("PC-01", 10, 1, "1.1")
    story.was_open("PC-02", 8.5, 9.99)
    assert ("open-elsewhere", "PC-01", "PC-02") in story.found()


def test_an_inode_whose_time_the_looks_do_not_bear_out_is_not_believed(story: Story) -> None:
    story.saw("PC-01", 10, 2, "1.1", away=3, arrived=99)
    story.was_open("PC-02", 2, 4)
    assert story.found() == []


def test_a_watcher_that_was_silent_has_not_watched(story: Story) -> None:
    story.facts = [f for f in story.facts if not 20 < f["time"] - NOW < 21 + BLIND_SECONDS]
    assert any(detail.startswith("nobody watched for") for detail in story.not_watched())


def test_a_watcher_that_came_after_the_change_has_not_watched(story: Story) -> None:
    story.facts = [f for f in story.facts if "beat" in f]
    story.saw("PC-01", 0, 2, "1.1")
    assert "the watcher did not see the beginning" in story.not_watched()
