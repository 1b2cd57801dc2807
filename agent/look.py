"""One look of the guard: who has the app open, and closing it.

A process is asked to end the moment it is seen and killed half a second later; the gentle rungs
are the drain's, and so, while the cordon is only leased, is what was open before it. A service
of the system is then the business of the step that stops it; later it is stopped as a service
too, or it would come back for ever. A process that the runner started is spared, and so are its
own children of the same program: many programs are several processes.
"""

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.cordon_notice import Notices, about
from agent.cordon_record import began_at
from agent.cordon_unit import Units
from agent.journal import Journal, JournalError
from agent.platforms.base import CloseRung, Platform, Process
from agent.programs import Programs
from agent.records import CordonRecord, sentence
from agent.wire.contract import CordonMode, OpenProgram

_log = logging.getLogger(__name__)
KILL_SECONDS = 0.5
_MOST = 50
_MOMENTS, _MOMENT_SECONDS = 4, 0.05


@dataclass(frozen=True, slots=True)
class Look:
    """What one look saw; `on` says that the guard is to look again soon."""

    on: bool = False
    guarded: bool = False
    open: tuple[OpenProgram, ...] = ()
    spared: tuple[OpenProgram, ...] = ()

    def blind(self) -> "Look":
        """Return the same, as something that no longer can be relied upon."""
        return replace(self, on=True, guarded=False)


class Watch:
    """Looks, and remembers whom it has asked to end."""

    def __init__(self, journal: Journal, platform: Platform, notices: Notices) -> None:
        self._journal = journal
        self._platform = platform
        self._notices = notices
        self.units = Units(platform.services)
        self._since = 0.0  # when the cordon came that was last looked at
        self._asked: dict[tuple[int, float], float] = {}
        self._judged: dict[int, tuple[Process, bool]] = {}
        self._judged_by: Programs | None = None
        self.expecting = 0  # steps under way that start the service manager
        self.let = frozenset[str]()  # users who may have the app open: one updates it from inside

    def look(self, record: CordonRecord, *, guarded: bool) -> Look:
        """Return who has the app open; close them when the guard is on."""
        found = self._found(record.programs)
        self._since = began_at(record, self._platform) if found else 0.0
        spared = {p.pid for p in self._spared(record, found)}
        others = [process for process in found if process.pid not in spared]
        if guarded:
            known = self._asked
            self._close(record, [p for p in others if not self._is_the_drains(record, p, found)])
            others = self._staying(others, self._asked.keys() - known.keys())
        else:
            self._asked.clear()
        return Look(
            on=guarded,
            guarded=guarded,
            open=self._told(record, others),
            spared=self._told(record, [process for process in found if process.pid in spared]),
        )

    def _staying(
        self, processes: Sequence[Process], fresh: Collection[tuple[int, float]]
    ) -> list[Process]:
        """Return those that have not ended; the fresh ones, asked to just now, have a moment.

        Somebody who cannot wait would else be seen to have it open at every look.
        """
        left = [process for process in processes if self._platform.is_alive(process)]
        for _ in range(_MOMENTS):
            if not any((process.pid, process.started) in fresh for process in left):
                break
            time.sleep(_MOMENT_SECONDS)
            left = [process for process in left if self._platform.is_alive(process)]
        return left

    def _found(self, programs: Programs) -> list[Process]:
        """Return the processes that are to be closed; each is judged once as long as it lasts."""
        before = self._judged if programs == self._judged_by else {}
        self._judged_by, self._judged = programs, {}
        for process in self._platform.processes():
            known = before.get(process.pid)
            if known is None or known[0] is not process:
                known = (process, programs.include(process))
            self._judged[process.pid] = known
        return [process for process, is_one in self._judged.values() if is_one]

    def _spared(self, record: CordonRecord, found: Collection[Process]) -> list[Process]:
        by_pid = {process.pid: process for process in found}
        expected = self._expected(record, found)  # first: what is so no more has its mark by then
        known = self._journal.spared(found, self._platform.boot_id()) if found else {}
        name = record.programs.name_of
        marked = {pid for pid, program in known.items() if name(by_pid[pid]) == program}
        judged = (p for p in found if self._is_spared(record, p, by_pid, marked))
        return list({p.pid: p for p in (*expected, *judged)}.values())

    def _expected(self, record: CordonRecord, found: Collection[Process]) -> list[Process]:
        """Return what may have been started just now by a step that has yet to spare it."""
        return [p for p in found if self.expecting and record.service.include(p)]

    def _is_spared(
        self,
        record: CordonRecord,
        process: Process,
        by_pid: Mapping[int, Process],
        marked: Collection[int],
    ) -> bool:
        if process.user in self.let:
            return True
        first = next((p for p in _line(process, by_pid) if p.pid in marked), None)
        name = record.programs.name_of
        return first is not None and name(first) == name(process)

    def _close(self, record: CordonRecord, processes: Sequence[Process]) -> None:
        now, asked = self._platform.clock(), self._asked
        fresh = [p for p in processes if (p.pid, p.started) not in asked]
        relaunched = [process for process in fresh if not self._was_open(record, process)]
        self._count(len(relaunched))
        self._asked = {}
        for process in processes:
            key = (process.pid, process.started)
            first = self._asked[key] = asked.get(key, now)
            self._end(process, now - first >= KILL_SECONDS)
            self._stop_its_unit(record, process)
        self._notices.meet(record, relaunched)

    def _count(self, number: int) -> None:
        try:
            if number:
                self._journal.count_relaunches(number)
        except JournalError as error:  # a full disk must not let the app be open
            _log.critical("cannot count a relaunch", extra={"why": str(error)})

    def _end(self, process: Process, late: bool) -> None:
        try:
            self._platform.close(process, CloseRung.KILL if late else CloseRung.TERMINATE)
        except OSError as error:  # the rest must be closed all the same; the sight tells
            _log.warning("cannot close", extra={"pid": process.pid, "why": str(error)})

    def _stop_its_unit(self, record: CordonRecord, process: Process) -> None:
        if record.unit and record.service.include(process):
            self.units.stop(record.unit)

    def _was_open(self, record: CordonRecord, process: Process) -> bool:
        if process.started >= self._since:
            return False
        _log.info("closed what was open", extra=about(record, process))
        return True

    def _is_the_drains(
        self, record: CordonRecord, process: Process, found: Iterable[Process]
    ) -> bool:
        """True for what was open when a leased cordon came, and what it started itself since.

        People are asked to leave it, by the drain; a seal comes after the drain and spares nobody.
        A unit may start itself again before the step that stops it has seen that it was running.
        """
        if record.mode is not CordonMode.LEASED:
            return False
        if record.unit and record.service.include(process):
            return True
        by_pid = {other.pid: other for other in found}
        return any(member.started < self._since for member in _line(process, by_pid))

    def _told(self, record: CordonRecord, processes: Iterable[Process]) -> tuple[OpenProgram, ...]:
        """Return them for a sight, which holds so many only: first one of each session."""
        now = self._platform.clock()
        return tuple(
            OpenProgram(
                user=sentence(process.user, 100),
                session=sentence(process.session, 100),
                program=sentence(record.programs.name_of(process), 100),
                pid=process.pid,
                age=min(max(0.0, now - process.started), 7 * 86400.0),
            )
            for process in _one_of_each_session_first(processes)[:_MOST]
        )


def _one_of_each_session_first(processes: Iterable[Process]) -> list[Process]:
    listed = list(processes)
    firsts = {(p.user, p.session): p for p in reversed(listed)}.values()
    return sorted(listed, key=lambda process: all(process is not first for first in firsts))


def _line(process: Process, by_pid: Mapping[int, Process]) -> Iterator[Process]:
    """Yield the process, its parent and so on, as far as they are among those found."""
    seen = set[int]()
    member: Process | None = process
    while member is not None and member.pid not in seen:
        yield member
        seen.add(member.pid)
        member = by_pid.get(member.parent)
