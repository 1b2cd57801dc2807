"""Stops the app's service manager and proves it gone; starts it again and proves it back.

For whom it ran, in which session, is remembered at the first stop, so that each of them gets it
back. A tray program is never started where nobody is logged in and none was running: it would
be the system's, and no person's. It comes back at the next log-in; until then its version is
read from its files. What the runner starts is spared by the guard.
"""

import json
from collections.abc import Callable, Sequence

from agent.platforms.base import CloseRung, Process
from agent.programs import Programs, service_manager_programs
from agent.steps.answers import why_silent
from agent.steps.closing import LOOK_SECONDS, close_all, open_now, who
from agent.steps.relaunched import staying
from agent.steps.service_unit import free, is_service
from agent.steps.table import Failed, Memo, Refused, Work
from agent.steps.versions import fill, values_of
from agent.steps.whose import Whose, has_left, lacking, names, pack, places, unpack, whose
from agent.wire.contract import Refusal, StepName
from agent.wire.profile import ServiceManagerKind

_FOUND = "found"
_FOR = "for"
_STARTED = "started"
SETTLE_SECONDS = 0.5
"""So long it must run before it counts as back, where nothing else proves that."""
_GRACE_OF_A_STOP_SECONDS = 5.0
_EXEC_SECONDS, _EXEC_LOOK_SECONDS = 1.0, 0.01
_NOT_STARTED = "not started: nobody is logged in; it starts at the next log-in"
_SYSTEM = Whose("")


def stop(work: Work) -> None:
    """Do of stop-service-manager: remember for whom it runs, stop it, prove it gone."""
    if work.memo.get(_FOUND) is None:
        found = pack(unpack(work.owed.get(_FOUND)) + _for_whom_it_runs(work))
        work.owed.put(_FOUND, found)  # a rollout that is left closed never gives it back
        work.memo.put(_FOUND, found)
    _stop(work)


def give_back(work: Work) -> None:
    """Undo and tidy of stop-service-manager: have it run for whom it was found running."""
    found = unpack(work.memo_of(StepName.STOP_SERVICE_MANAGER).get(_FOUND))
    here = _here(work, found)
    if any(one not in here for one in unpack(_memo_of_start(work).get(_FOR))):
        _stop(work)  # for whom it did not run before it was started to be looked at only
    if here:
        _start(work, here)
        _prove_to_answer(work, here)
    if not found:
        work.fact("service_manager", "was not running before, and is left so")
        free(work)
    work.owed.put(_FOUND, "[]")


def start(work: Work) -> None:
    """Do of start-service-manager: start it for whom it ran before, and prove it back.

    Where it ran for nobody it is started for whoever is logged in, to be looked at. That a service
    stays up is proven by the health check, which comes next.
    """
    if work.profile.service_manager.kind is ServiceManagerKind.NONE:
        return
    found = unpack(work.memo_of(StepName.STOP_SERVICE_MANAGER).get(_FOUND))
    here = _here(work, found) or _anybody(work)
    work.memo.put(_FOR, pack(here))
    if here:
        _start(work, here)
        if not is_service(work):  # a program may hand over to another, to be spared too
            _prove_to_stay(work, here)
    else:
        work.fact("service_manager", _NOT_STARTED)
    processes = service_manager_processes(work)
    work.memo.put(_STARTED, json.dumps([[p.pid, p.started] for p in processes]))


def stop_again(work: Work) -> None:
    """Undo of start-service-manager: stop it, and let the guard close it from now on.

    Until it has ended it is spared: the guard would call it a relaunch, which nobody has opened.
    One that does not go is not, and is ended by the guard, by force.
    """
    try:
        _stop(work)
    except (Refused, OSError):
        work.guard.spare_none()
        _stop(work)
    else:
        work.guard.spare_none()


def spare_started(work: Work) -> None:
    """Spare what start-service-manager started, once more: an agent that died forgot it."""
    started = {tuple(pair) for pair in json.loads(_memo_of_start(work).get(_STARTED) or "[]")}
    for process in service_manager_processes(work):
        if (process.pid, process.started) in started:
            work.guard.spare(process)


def service_manager_processes(work: Work) -> list[Process]:
    """Return the processes that are the service manager, [] when it does not run."""
    manager = work.profile.service_manager
    if manager.kind is ServiceManagerKind.SYSTEMD:
        main = work.platform.services.main_process(manager.unit)
        return [main] if main else []
    return open_now(work, _programs(work)) if manager.programs else []


def why_not_running(work: Work) -> str:
    """Return for whom it does not run, of those for whom it was started; "" when all is well."""
    wanted = _memo_of_start(work).get(_FOR)
    if wanted is None:
        return "" if service_manager_processes(work) else "the service manager does not run"
    without = names(_without(work, unpack(wanted)))
    return f"the service manager does not run for {without}" if without else ""


def is_without_people(work: Work) -> bool:
    """True for a tray program that does not run, rightly: nobody is logged in to have it."""
    is_program = work.profile.service_manager.kind is ServiceManagerKind.PROGRAM
    return is_program and not service_manager_processes(work) and not why_not_running(work)


def refuse_while_running(work: Work) -> None:
    """Raise `Refused` SERVICE_MANAGER_STILL_RUNNING when any of it runs, and goes on to."""
    if running := staying(work, lambda: _running(work)):
        raise Refused(
            Refusal.SERVICE_MANAGER_STILL_RUNNING,
            f"cannot stop the service manager of {work.profile.title}: it still runs for "
            f"{who(running)}; quit it there, then retry",
        )


def _running(work: Work) -> list[Process]:
    """Return all of it that runs, each process once: also what belongs to no service."""
    found = service_manager_processes(work) + open_now(work, _programs(work))
    return list({(process.pid, process.started): process for process in found}.values())


def _memo_of_start(work: Work) -> Memo:
    return work.memo_of(StepName.START_SERVICE_MANAGER)


def _programs(work: Work) -> Programs:
    return service_manager_programs(work.profile, work.installation.folder)


def _for_whom_it_runs(work: Work) -> list[Whose]:
    running = service_manager_processes(work)
    if is_service(work):
        return [_SYSTEM for _ in running]
    sessions = work.platform.sessions()
    return [whose(process, sessions) for process in running]


def _here(work: Work, people: Sequence[Whose]) -> list[Whose]:
    """Return where they are now, and tell who has logged out meanwhile."""
    if is_service(work):
        return list(people)
    now = places(people, work.platform.sessions())
    if gone := [one for one, seat in now.items() if seat is None]:
        work.fact("logged_out", names(gone))
    return [seat for seat in now.values() if seat is not None]


def _anybody(work: Work) -> list[Whose]:
    """Return somebody for whom it may be started where it ran for nobody, [] for none."""
    if is_service(work):
        return [_SYSTEM]
    sessions = sorted(work.platform.sessions(), key=lambda session: not session.active)
    return [Whose(session.user, session.id) for session in sessions[:1]]


def _stop(work: Work) -> None:
    if is_service(work):
        work.platform.services.stop(work.profile.service_manager.unit)
    if work.profile.service_manager.programs and close_all(work, _programs(work)).still_open:
        _insist(work)
    patience = _GRACE_OF_A_STOP_SECONDS if is_service(work) else 0.0
    if not _wait(work, lambda: not _running(work), patience):
        refuse_while_running(work)


def _insist(work: Work) -> None:
    """End those that ask whether they are to be quit: a tray program has no unsaved work."""
    for process in open_now(work, _programs(work)):
        work.platform.close(process, CloseRung.TERMINATE)
    _wait(work, lambda: not open_now(work, _programs(work)), _GRACE_OF_A_STOP_SECONDS)


def _start(work: Work, people: Sequence[Whose]) -> None:
    """Start it for those of them who have none, and prove that each has one."""
    if is_service(work):
        work.platform.services.start(work.profile.service_manager.unit)
    else:
        _start_programs(work, lacking(people, service_manager_processes(work)))
    _prove_back(work, people)


def _start_programs(work: Work, people: Sequence[Whose]) -> None:
    folder, manager = work.installation.folder, work.profile.service_manager
    program, *arguments = manager.start
    argv = [str(folder / program), *(fill(text, values_of(work)) for text in arguments)]
    for one in people:
        try:
            work.guard.spare(work.platform.start_program(argv, folder, one.user, one.session))
        except OSError:
            if not has_left(one, work.platform.sessions()):
                raise


def _prove_back(work: Work, people: Sequence[Whose]) -> None:
    title = work.profile.title
    seconds = work.profile.health.timeout_seconds
    if not _wait(work, lambda: not _without(work, people), seconds):
        without = names(_without(work, people))
        raise Failed(f"cannot start the service manager of {title}: no process for {without}")
    _wait(work, lambda: _is_itself(work), _EXEC_SECONDS, _EXEC_LOOK_SECONDS)
    running = service_manager_processes(work)
    for process in running:
        work.guard.spare(process)
    work.fact("service_manager", f"runs for {who(running)}")


def _is_itself(work: Work) -> bool:
    """True unless a service is yet the copy of systemd that it begins as.

    The guard spares a process as the program that it is: one that was marked too soon is closed.
    """
    programs = _programs(work)
    named = is_service(work) and programs.names
    return not named or all(map(programs.include, service_manager_processes(work)))


def _prove_to_stay(work: Work, people: Sequence[Whose]) -> None:
    """Look once more after a moment."""
    title = work.profile.title
    work.pause(SETTLE_SECONDS)
    if without := names(_without(work, people)):
        raise Failed(
            f"cannot keep the service manager of {title} up: it ended again for {without}"
        )


def _prove_to_answer(work: Work, people: Sequence[Whose]) -> None:
    """Wait until its port and its page answer: people are about to be told that it is back.

    What they say is not judged: an old release was not made for the profile's pattern. One that
    answers need not be watched, unless the answer may be another program's.
    """
    health, seconds = work.profile.health, work.profile.health.timeout_seconds
    if _wait(work, lambda: bool(_without(work, people)) or not why_silent(work), seconds):
        answers = is_service(work) and (health.port or health.http)
        if not answers or _without(work, people):
            _prove_to_stay(work, people)
        return
    title, why = work.profile.title, why_silent(work) or "it answered too late"
    raise Failed(f"cannot confirm that {title} is back: {why} (waited {seconds:g} s)")


def _without(work: Work, people: Sequence[Whose]) -> list[Whose]:
    running = service_manager_processes(work)
    if is_service(work):
        return [] if running else [_SYSTEM]
    without = lacking(people, running)
    sessions = work.platform.sessions() if without else ()
    return [one for one in without if not has_left(one, sessions)]


def _wait(
    work: Work, is_so: Callable[[], bool], seconds: float, look: float = LOOK_SECONDS
) -> bool:
    """Wait until it is so; False when it was not within that time."""
    end = work.platform.clock() + seconds
    while not (so := is_so()) and work.platform.clock() < end:
        work.pause(look)
    return so
