"""Strikes at a chosen place in a step: the host stands still meanwhile, and losses are counted.

A step of a small app takes a tenth of a second. So the visited host is held for the strike, by the
freezer of its control group: all that runs in it stands still, and goes on as if nothing had been.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.faults.ledger import PLANNED, Key, StepRow, journal_steps, read_rows
from tests.lan.box import Host
from tests.lan.commands import do, nft
from tests.lan.office import LanOffice
from tests.lan.remains import CGROUPS, group
from tests.lan.settings import SWITCH
from tests.until import until

FAR_MS = 200
"""So late a wire has what was sent on it, that an order can be cut off on its way."""
VISIT = ("back-up", "apply-release", "start-service-manager", "check-health")
_GO_ON_SECONDS = 0.01
_LOOK_EVERY_SECONDS = 0.002
_REACH_SECONDS = 120.0
_STRIKE_SECONDS = 60.0


class Place(StrEnum):
    """Where in a step the cable is pulled."""

    BEFORE = "before"  # the order is on its way, and the agent has not heard it
    DURING = "during"
    AFTER = "after"  # it has ended, and the coordinator has not heard it


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in a step of one host."""

    host: str
    step: str
    place: Place = Place.DURING
    direction: str = "do"

    @property
    def key(self) -> Key:
        """The step's name and direction."""
        return self.step, self.direction

    def __str__(self) -> str:
        undone = "" if self.direction == "do" else f" ({self.direction})"
        return f"{self.place} {self.step}{undone}"


# -- where a step is ---------------------------------------------------------------------------


def place_of(office: LanOffice, moment: Moment) -> Place | None:
    """Return where the step is now; None when it was not ordered, and when its end is known."""
    known = [row for row in _rows(office, moment.host) if row.key == moment.key]
    if not known or known[-1].state != "running":
        return None
    state = office.stations[moment.host].state
    held = [row for row in journal_steps(state, office.rollout) if row.key == moment.key]
    if not held:
        return Place.BEFORE
    return Place.DURING if held[-1].state == "running" else Place.AFTER


def _rows(office: LanOffice, host: str) -> list[StepRow]:
    rows = office.ledger.steps(office.rollout)
    return [row for row in rows if row.host == office.ids[host]]


@contextmanager
def held_at(office: LanOffice, moment: Moment) -> Iterator[None]:
    """Wait until a step is there, and hold its host there; goes on at the end.

    The host stands still for each look: a step may be over in the time of one.
    """
    host = office.box.hosts[moment.host]

    def is_there() -> bool:
        if place_of(office, moment) is moment.place:
            return True
        _freeze(host, "0")
        time.sleep(_GO_ON_SECONDS)
        _freeze(host, "1")
        return False

    with standing_still(host):
        promptly(is_there, f"{moment.host}: {moment}")
        yield


@contextmanager
def standing_still(host: Host) -> Iterator[None]:
    """Have nothing run in a host; its network card goes on."""
    try:
        _freeze(host, "1")
        yield
    finally:
        _freeze(host, "0")


def _freeze(host: Host, word: str) -> None:
    place = CGROUPS / group(host.name)
    (place / "cgroup.freeze").write_text(word)
    said = f"frozen {word}"
    promptly(lambda: said in (place / "cgroup.events").read_text(), f"{host.name}: {said}")


def promptly(predicate: Callable[[], object], what: str, seconds: float = _REACH_SECONDS) -> None:
    """Return at once when `predicate()` is true; what is looked for lasts some milliseconds."""
    end = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(_LOOK_EVERY_SECONDS)


# -- what is lost ------------------------------------------------------------------------------


class Losses:
    """Counts what a host is sent from now on, at the switch, and what it had to send again."""

    def __init__(self, office: LanOffice, name: str) -> None:
        self._office, self.name = office, name
        self._table = f"bridge sent_to_{name}"
        chain = "type filter hook prerouting priority -400;"
        match = f"ether daddr {office.box.network.ports[name].mac} counter"
        table = f"table {self._table}"
        rules = f"{table} {{ chain sent {{ {chain} {match}\n}}\n}}\n"
        nft(SWITCH, f"{table}\ndelete {table}\n{rules}")
        self._before = sent_again(office.box.hosts[name])

    def count(self) -> int:
        """Return how many frames were lost, if its cable was out all the while."""
        listed = do("ip", "netns", "exec", SWITCH, "nft", "list", "table", *self._table.split())
        found = re.search(r"counter packets (\d+)", listed)
        sent = int(found[1]) if found else 0
        return sent + sent_again(self._office.box.hosts[self.name]) - self._before

    def wait_for_some(self) -> None:
        """Return once something was lost."""
        until(self.count, _STRIKE_SECONDS, f"{self.name}: something is lost on its wire")


def sent_again(host: Host) -> int:
    """Return how many segments of TCP a host has sent more than once."""
    lines = Path(f"/proc/{host.leader}/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("RetransSegs")])


def pull(office: LanOffice, name: str) -> Losses:
    """Pull a host's cable, and count what is lost on it."""
    office.box.network.cut(name)
    return Losses(office, name)


def knock(office: LanOffice, name: str) -> None:
    """Have the seat send the host something."""
    call = ("curl", "--silent", "--connect-timeout", "0.2", office.box.hosts[name].ip)
    office.box.seat.run(*call, check=False)


# -- what came of it ---------------------------------------------------------------------------


def wait_known(office: LanOffice, moment: Moment) -> None:
    """Return once the coordinator knows how the step has ended: well, and at the first attempt."""

    def is_known() -> bool:
        rows = [row for row in _rows(office, moment.host) if row.key == moment.key]
        return bool(rows) and rows[-1].state not in {"running", "unknown"}

    until(is_known, _REACH_SECONDS, f"{moment.host}: how {moment.step} has ended is known")
    row = next(row for row in _rows(office, moment.host) if row.key == moment.key)
    assert (row.state, row.attempt) == ("done", 1), f"{moment.host}: {row}"


def is_waiting(office: LanOffice) -> bool:
    """True while the rollout waits for a person."""
    return bool(office.ledger.state_of(office.rollout)["state"] == "needs-operator")


def visits_begun(office: LanOffice) -> set[tuple[str, Key]]:
    """Return which steps of visits were ordered so far, by host."""
    rows = office.ledger.steps(office.rollout)
    return {(row.host, row.key) for row in rows if row.key[0] in VISIT}


def facts(office: LanOffice, what: str, name: str) -> list[dict[str, str]]:
    """Return what the coordinator has logged of a host under these words."""
    log = office.folder / "coordinator" / "log" / "coordinator.log"
    told = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [t for t in told if t.get("what") == what and t.get("host") == office.ids[name]]


def agent_facts(office: LanOffice, what: str, name: str) -> list[dict[str, str]]:
    """Return what the agent of a host has logged under these words."""
    journal = office.stations[name].state / "journal.sqlite"
    rows = read_rows(journal, "SELECT line FROM log ORDER BY number")
    told = [json.loads(row["line"]) for row in rows]
    return [t for t in told if t["what"] == what]


def wait_lost(office: LanOffice, name: str, before: int = 0) -> None:
    """Return once the coordinator has found that the link of a host is over."""
    what = f"{name}: its link is found to be over"
    until(lambda: len(facts(office, "host lost", name)) > before, _REACH_SECONDS, what)


def assert_each_step_once(office: LanOffice) -> None:
    """On every host each step of a whole rollout was begun once, and was done."""
    for station in office.stations.values():
        steps = journal_steps(station.state, office.rollout)
        assert Counter(row.key for row in steps) == Counter(PLANNED), station.name
        assert {(row.state, row.attempt) for row in steps} == {("done", 1)}, station.name
        begun = agent_facts(office, "step started", station.name)
        ours = [fact for fact in begun if fact["step"].startswith(office.rollout)]
        keys = [(fact["step"].rpartition("/")[2], fact["direction"]) for fact in ours]
        assert Counter(keys) == Counter(PLANNED), station.name


def end_well(office: LanOffice) -> None:
    """The rollout goes on to its end, each step was done once, and all that was promised held."""
    until(lambda: not is_waiting(office), _REACH_SECONDS, "the rollout goes on")
    assert office.end(office.rollout) == "done", office.told(office.rollout)
    assert_each_step_once(office)
    assert office.violations() == []
