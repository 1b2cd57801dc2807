"""The rows of the race: who runs, how often, and what must stay below what."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import TypeVar

from tests.bench.figure import Figure, spread
from tests.lan.app import NEW
from tests.lan.box import Host
from tests.lan.home import PROFILE
from tests.lan.office import LanOffice
from tests.lan.race import floor, ours, script
from tests.lan.race.admin import Admin, Taken
from tests.lan.race.distribution import send
from tests.lan.race.ground import BASE, Ground
from tests.lan.race.ours import Rolled

_BESIDE_WHOLE, _BESIDE_READY, _BESIDE_FLOOR, _BESIDE_NGINX = 0.7, 1.5, 1.5, 2.5
_PEERS = {
    "by the book": ("(c) Ansible by the book", 12.0),
    "tuned": ("(d) Ansible tuned", 4.0),
    "pyinfra": ("(e) pyinfra", None),
}
_CLOSED = "closed_while_others_update = true"
_FLOOR_ROUNDS = 5
_SIZES = (50, 500)  # MB
_LIMITED = 20
"""Limits hold from so many hosts on; below, the figures are shown only."""
_T = TypeVar("_T")


class Course:
    """The hosts, everybody who races on them, and what each has taken so far."""

    def __init__(self, office: LanOffice, rounds: int) -> None:
        self.office, self.rounds = office, rounds
        self.hosts = list(office.box.hosts.values())
        self.release = office.folder / "releases" / f"{NEW}.zip"
        Ground(self.hosts, self.release).set_up()
        self._admin: Admin | None = None
        self._rolled: dict[int, list[Rolled]] = {}

    @property
    def admin(self) -> Admin:
        """Somebody who may log in everywhere; made when first asked for."""
        if self._admin is None:
            self._admin = Admin(self.office.box, self.hosts)
        return self._admin

    def by_script(self, count: int, mode: str) -> float:
        """Return the seconds of the local script, all of it or prepared."""

        def race(hosts: Sequence[Host]) -> Taken:
            if mode == "ready":
                script.prepare(hosts)
                os.sync()
            return script.roll(hosts, mode)

        return self._judged(count, f"the script, {mode}", race).seconds

    def by_admin(self, count: int, who: str) -> Taken:
        """Return what one of the admin's tools took."""
        tools: dict[str, Callable[[Sequence[Host]], Taken]] = {
            "by the book": lambda hosts: self.admin.ansible(hosts, "by_the_book.yml"),
            "tuned": lambda hosts: self.admin.ansible(hosts, "tuned.yml"),
            "pyinfra": self.admin.pyinfra,
        }
        return self._judged(count, who, tools[who])

    def by_us(self, count: int) -> Rolled:
        """Return what Roundsman took; the first so many hosts are a group of their own."""
        done = self._by_us(count, "Roundsman")
        self._rolled.setdefault(count, []).append(done)
        return done

    def by_us_as_the_script(self, count: int) -> Rolled:
        """Return what Roundsman took by a profile that leaves a service up after its visit."""
        self._publish(_CLOSED.replace("true", "false"))
        try:
            return self._by_us(count, "Roundsman, services left up")
        finally:
            self._publish(_CLOSED)

    def _by_us(self, count: int, who: str) -> Rolled:
        self._regroup(count)
        return self._judged(count, who, lambda hosts: ours.roll(self.office, hosts))

    def _publish(self, rule: str) -> None:
        text = PROFILE.read_text("utf-8")
        assert _CLOSED in text
        file = BASE / PROFILE.name
        file.write_text(text.replace(_CLOSED, rule), "utf-8")
        self.office.cli("profile", "add", str(file))
        self.office.cli("release", "sign", "--yes")

    def rolled(self, count: int) -> list[Rolled]:
        """Return what Roundsman took on so many hosts in this run, once at least."""
        return self._rolled.get(count) or [self.by_us(count)]

    def _judged(self, count: int, who: str, race: Callable[[Sequence[Host]], _T]) -> _T:
        ground = Ground(self.hosts[:count], self.release)
        before, load = ground.put_back(), os.getloadavg()[0]
        taken = race(ground.hosts)
        sys.stderr.write(f"  {count} hosts, {who} (load {load:.1f}): {taken}\n")
        wrong = ground.complaints(before)
        assert not wrong, f"{who}, {count} hosts: not as it must be: {wrong[:5]}"
        return taken

    def _regroup(self, count: int) -> None:
        places = [(h.name, "office" if n < count else "rest") for n, h in enumerate(self.hosts)]
        file = BASE / "fleet.toml"
        text = (f'[[host]]\nname = "{name}"\ngroup = "{group}"\n' for name, group in places)
        file.write_text("".join(text), "utf-8")
        self.office.cli("fleet", "import", str(file))


def rolling(course: Course, counts: Sequence[int]) -> Iterator[Figure]:
    """Yield the rolling update by the script, by the prepared script, and by Roundsman."""
    for count in counts:
        whole, ready, done, alike = [], [], [], []
        for _ in range(course.rounds):  # back to back: the machine is not equally busy all day
            whole.append(course.by_script(count, "whole"))
            ready.append(course.by_script(count, "ready"))
            done.append(course.by_us(count))
            alike.append(course.by_us_as_the_script(count).seconds)
        yield _seconds(f"{count} hosts: (a) script", whole)
        yield _seconds(f"{count} hosts: (a2) script, unpacked and backed up before", ready)
        yield from _ours(course, count, done)
        closed = [one.seconds for one in done]
        yield _beside(
            f"{count} hosts: (b) beside (a)", closed, whole, _limit(count, _BESIDE_WHOLE)
        )
        yield _beside(
            f"{count} hosts: (b) beside (a2)", closed, ready, _limit(count, _BESIDE_READY)
        )
        name = f"{count} hosts: (b) where services stay up after their visit"
        yield _seconds(name, alike)
        yield _beside(f"{name}, beside (a)", alike, whole, None)
        yield _beside(f"{name}, beside (a2)", alike, ready, None)
    shares = ours.agents_memory(course.hosts)
    yield Figure("an agent: memory (PSS)", median(shares), "MiB", None, spread(shares, 1))


def _ours(course: Course, count: int, done: Sequence[Rolled]) -> Iterator[Figure]:
    closed, name = [one.seconds for one in done], f"{count} hosts: (b)"
    ahead = [one.total - one.seconds for one in done]
    used = [one.processor for one in done if one.processor]
    yield _seconds(f"{name} Roundsman, nobody can work", closed)
    yield Figure(f"{name} for each host", median(closed) / count, "s", None)
    yield _seconds(f"{name} staging and tidying, people at work", ahead)
    yield _seconds(f"{name} in all", [one.total for one in done])
    yield Figure(f"{name} coordinator and commands: processor", median(used), "s", None)


def peers(course: Course, counts: Sequence[int]) -> Iterator[Figure]:
    """Yield the rolling update by the tools an admin has, once each."""
    for count in counts:
        closed = median(one.seconds for one in course.rolled(count))
        for who, (name, least) in _PEERS.items():
            taken = course.by_admin(count, who)
            yield Figure(f"{count} hosts: {name}", taken.seconds, "s", None, "once")
            yield Figure(f"{count} hosts: {name}: for each host", taken.seconds / count, "s", None)
            yield Figure(f"{count} hosts: {name}: processor", taken.processor or 0.0, "s", None)
            yield Figure(
                f"{count} hosts: {name} beside (b)", taken.seconds / closed, "times",
                _limit(count, least), f"(b): {closed:.2f} s", at_least=True,
            )  # fmt: skip


def closing(course: Course, counts: Sequence[int]) -> Iterator[Figure]:
    """Yield how soon everybody is closed, beside the least that takes."""
    count = max(counts)
    rolled = course.rolled(count)
    Ground(course.hosts, course.release).put_back()
    least = floor.close_all(course.hosts[:count], _FLOOR_ROUNDS)
    yield _seconds(f"close all on {count} hosts, no network", least)
    closed = [one.closing for one in rolled]
    yield _seconds(f"close all on {count} hosts: ordered, drained, told by the last", closed)
    yield _beside("closing beside no network", closed, least, _limit(count, _BESIDE_FLOOR))
    sealed = [one.sealing for one in rolled]
    yield _seconds(f"close all on {count} hosts, services stopped and sealed too", sealed)


def distribution(course: Course, counts: Sequence[int]) -> Iterator[Figure]:
    """Yield a release on its way to all hosts at once, beside nginx and curl."""
    hosts = course.hosts[: max(counts)]
    Ground(course.hosts, course.release).put_back()
    for size in _SIZES:
        sent, name = send(course.office, hosts, size), f"{size} MB to {len(hosts)} hosts"
        yield Figure(f"{name}: Roundsman, staged", sent.ours, "s", None, "fetched to synced")
        yield Figure(f"{name}: nginx, curl, sha256sum", sent.rival, "s", None)
        yield Figure(f"{name}: the same, unzip and sync", sent.rival_unpacked, "s", None)
        limit = _limit(len(hosts), _BESIDE_NGINX)
        yield Figure(f"{name}: beside nginx", sent.ours / sent.rival, "times", limit)
        ratio = sent.ours / sent.rival_unpacked
        yield Figure(f"{name}: beside nginx, unpacked too", ratio, "times", None)


def _seconds(name: str, samples: Sequence[float]) -> Figure:
    return Figure(name, median(samples), "s", None, spread(samples))


def _beside(
    name: str, samples: Sequence[float], rivals: Sequence[float], limit: float | None
) -> Figure:
    return Figure(name, median(samples) / median(rivals), "times", limit, "medians")


def _limit(count: int, limit: float | None) -> float | None:
    return limit if count >= _LIMITED else None
