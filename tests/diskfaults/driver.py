"""One agent at work on one office, to be killed and lied to: a real runner, steps and disk.

It speaks JSON lines over two descriptors. At its gate it names the thread that is about to work
and waits, so that strace is attached to that very thread and counts from there. Only the table
of processes is a stand-in (nobody has the app open), and the package, which comes from a file.
"""

import json
import logging
import os
import select
import sys
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from agent.config import AppPlace, Config, Coordinator
from agent.journal import Journal, JournalError
from agent.people import LoggedPeople
from agent.platforms.base import Process
from agent.platforms.linux import Linux
from agent.runner import Runner
from agent.steps.rows import STEPS
from agent.steps.table import Work
from agent.wire.contract import (
    Direction,
    Fence,
    ReportAsk,
    StartOrder,
    StepParams,
    StepReport,
    StepState,
    Target,
)
from agent.wire.manifest import Manifest
from agent.wire.profile import Profile
from agent.wire.profile_reader import read_profile
from agent.work import Tools
from tests.diskfaults.office import HOST, NEW, ROLLOUT, Place, manifest

_TARGET = Target("bench", "0" * 64)
_STEP_SECONDS = 60.0
Told = dict[str, Any]


class Line:
    """JSON lines over two descriptors."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._buffer = b""

    def send(self, **told: object) -> None:
        os.write(self._write, json.dumps(told).encode() + b"\n")

    def receive(self, seconds: float | None = None) -> Told | None:
        """The next line; None when the other side has gone. Raises `TimeoutError`."""
        while b"\n" not in self._buffer:
            if not select.select([self._read], [], [], seconds)[0]:
                raise TimeoutError(f"nothing heard for {seconds} s")
            chunk = os.read(self._read, 65536)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        told: Told = json.loads(line)
        return told

    def become_standard(self) -> None:
        """Be what a program started in this process reads and writes."""
        os.dup2(self._read, 0)
        os.dup2(self._write, 1)

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


class QuietLinux(Linux):
    """Linux on which nobody has the app open; its disk is the real one."""

    def processes(self) -> Sequence[Process]:
        return ()


class NoGuard:
    def spare(self, process: Process) -> None:
        pass

    def spare_none(self) -> None:
        pass

    def let(self, users: Collection[str]) -> None:
        pass


class LocalPackages:
    """One profile and one package, taken as verified; asks at the gate when told to."""

    def __init__(self, place: Place, line: Line) -> None:
        self._profile = read_profile(place.profile, "bench.toml")
        self._manifest = manifest(place.variant)
        self._content = place.package
        self._line = line
        self.gated = False
        self.may_work = threading.Event()  # else a lane may end before its order is answered
        self.may_work.set()

    def profile(self, target: Target) -> Profile:
        self.may_work.wait(_STEP_SECONDS)
        if self.gated:  # the first thing that a lane's thread asks for
            self.gated = False
            wait_at_gate(self._line)
        return self._profile

    def manifest(self, target: Target, *, afresh: bool = False) -> Manifest:
        return self._manifest

    def assemble(self, manifest: Manifest, ticket: str, work: object, into: Path) -> bool:
        return False

    def fetch(self, manifest: Manifest, ticket: str, work: Work) -> Path:
        return self._content


def wait_at_gate(line: Line) -> None:
    """Name this thread, and wait until strace is on it."""
    line.send(gate=threading.get_native_id())
    line.receive()


def order_of(told: Told) -> StartOrder:
    return StartOrder(
        f"{told['rollout']}/{HOST}/{told['step']}",
        Direction(told["direction"]),
        told["attempt"],
        Fence(3, "abc123"),
        _STEP_SECONDS,
        StepParams(_TARGET, _TARGET, NEW, backup="" if told["rollout"] == ROLLOUT else ROLLOUT),
    )


class Driver:
    """The agent: recovers, then takes orders until told to end."""

    def __init__(self, root: Path, line: Line, role: str) -> None:
        self._place = Place(root)
        self._line = line
        self._packages = LocalPackages(self._place, line)
        self._platform = QuietLinux()
        self._packages.gated = role == "lane"

    def serve(self) -> None:
        """Work. What cannot be started is told as the daemon tells it."""
        try:
            journal = Journal.open(self._place.journal)
            runner = Runner(STEPS, journal, self._tools())
            runner.recover()
        except (JournalError, OSError) as error:
            self._line.send(down=str(error))
            return
        self._line.send(up=True)
        while told := self._line.receive():
            if told["do"] == "end":
                break
            self._take(runner, order_of(told))
        runner.close(10)
        journal.close()
        self._line.send(ended=True)

    def _tools(self) -> Tools:
        config = Config(
            HOST,
            self._place.state,
            (Coordinator("127.0.0.1:7701", "https://127.0.0.1:7702"),),
            {"bench-app": AppPlace(self._place.app, {})},
        )
        return Tools(
            self._platform,
            config,
            self._packages,
            NoGuard(),
            LoggedPeople(),
            kept_profile=self._packages.profile,
        )

    def _take(self, runner: Runner, order: StartOrder) -> None:
        self._packages.may_work.clear()
        report = runner.start(order)
        self._packages.may_work.set()
        while report.state is StepState.RUNNING:
            ask = ReportAsk(order.step_id, order.direction, report.revision, 1.0, 0)
            report = runner.report(ask)
        self._line.send(report=_words(report))


def _words(report: StepReport) -> dict[str, str]:
    refusal = report.refusal.value if report.refusal else ""
    return {"state": report.state.value, "detail": report.detail, "refusal": refusal}


def run(root: Path, line: Line, role: str) -> None:
    """Be the agent of the office in `root`; `role` says whose gate is kept: main, lane or ""."""
    logging.disable(logging.CRITICAL)
    driver = Driver(root, line, role)
    if role == "main":
        wait_at_gate(line)
    driver.serve()


if __name__ == "__main__":
    run(Path(sys.argv[1]), Line(0, 1), sys.argv[2] if len(sys.argv) > 2 else "")
