"""Roundsman in the race: a real rollout, timed by what its own engine and store have written.

What counts against the script is the time in which nobody can work: from the order to close the
app until everybody is let in again. Staging comes before it and tidying after it, while people
work; both are in the total.
"""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lan.box import Host
from tests.lan.office import LanOffice
from tests.lan.race.ground import OPEN_CLIENTS, at_once

_CLOSE, _OPEN = "confirm leased", "uncordon"
_PATIENCE_SECONDS = 300.0
_ENGINE = (
    "SELECT function_name AS name, started_at_epoch_ms / 1000.0 AS began, "
    "completed_at_epoch_ms / 1000.0 AS ended FROM operation_outputs "
    "WHERE workflow_uuid = ? ORDER BY began"
)
_TICKS = 100  # of a processor's second, in /proc


@dataclass(frozen=True, slots=True)
class Rolled:
    """One rollout, in seconds."""

    seconds: float  # from the order to close until all have the app open again
    total: float  # with staging and tidying
    closing: float  # from the order to close until the last host said that it is closed
    sealing: float  # the same until service managers are stopped and the last seal is confirmed
    processor: float  # of the coordinator, and of the commands that were typed
    parts: dict[str, float] = field(default_factory=dict)


def roll(office: LanOffice, hosts: Sequence[Host]) -> Rolled:
    """Have these hosts updated, the office's others held; people open their app at the end."""
    assert office.coordinator is not None
    used = _processor(office.coordinator.pid)
    rollout = office.start()
    ended = office.end(rollout, _PATIENCE_SECONDS)
    assert ended == "done", office.told(rollout)
    begun = time.monotonic()
    at_once(hosts, lambda host: host.run(*OPEN_CLIENTS))
    opening = time.monotonic() - begun
    used = _processor(office.coordinator.pid) - used
    return _rolled(office, rollout, opening, used)


def _rolled(office: LanOffice, rollout: str, opening: float, used: float) -> Rolled:
    acts = office.ledger.rows(_ENGINE, rollout)
    first, last = acts[0]["began"], max(act["ended"] for act in acts)
    closed = next(act["began"] for act in acts if act["name"] == _CLOSE)
    opened = max(act["ended"] for act in acts if act["name"] == _OPEN)
    drained = next(act["ended"] for act in acts if act["name"] == "do drain")
    sealed = next(act["ended"] for act in acts if act["name"] == "confirm sealed")
    parts: dict[str, float] = {}
    for act in acts:
        name = " ".join(word for word in act["name"].split() if word not in office.ids.values())
        parts[name] = parts.get(name, 0.0) + act["ended"] - act["began"]
    return Rolled(
        opened - closed + opening, last - first + opening,
        drained - closed, sealed - closed, used, parts,
    )  # fmt: skip


def _processor(pid: int) -> float:
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (int(numbers[11]) + int(numbers[12])) / _TICKS + children.ru_utime + children.ru_stime


def agents_memory(hosts: Sequence[Host]) -> list[float]:
    """Return what each agent holds of memory that is its own share (PSS), in MiB."""
    return [_memory(host) for host in hosts]


def _memory(host: Host) -> float:
    kilobytes = 0
    for pid in host.processes():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if any(word.endswith(b"roundsman-agent") for word in words[:3]):
            shares = Path(f"/proc/{pid}/smaps_rollup").read_text()
            kilobytes += int(shares.partition("Pss:")[2].split()[0])
    return kilobytes / 1024
