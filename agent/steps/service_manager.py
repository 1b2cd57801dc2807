"""Stops the app's service manager and proves it gone; starts it again and proves it back.

What ran before, and for whom, is remembered at the first stop, so that it can be given back as
it was found. What the runner starts is spared by the guard.
"""

import json
from typing import Any

from agent.platforms.base import Process
from agent.programs import Programs, service_manager_programs
from agent.steps.closing import LOOK_SECONDS, close_all, open_now, who
from agent.steps.table import Failed, Refused, Work
from agent.steps.versions import fill
from agent.wire.contract import Refusal, StepName
from agent.wire.profile import ServiceManagerKind

_FOUND = "found"
_STARTED = "started"
_SETTLE_SECONDS = 0.5
_GRACE_OF_A_STOP_SECONDS = 5.0


def stop(work: Work) -> None:
    """Do of stop-service-manager: remember what runs, stop it, prove it gone."""
    if work.memo.get(_FOUND) is None:
        found = json.dumps(_what_runs(work) or json.loads(work.owed.get(_FOUND) or "[]"))
        work.owed.put(_FOUND, found)  # a rollout that is left closed never gives it back
        work.memo.put(_FOUND, found)
    _stop(work)


def give_back(work: Work) -> None:
    """Undo and tidy of stop-service-manager: have what was found running run again."""
    found = _found(work)
    if not found:
        work.fact("service_manager", "was not running before, and is left so")
        return
    _start(work, [str(entry["user"]) for entry in found])
    work.owed.put(_FOUND, "[]")


def start(work: Work) -> None:
    """Do of start-service-manager: start it for whom it ran before, and prove it back."""
    users = [str(entry["user"]) for entry in _found(work)]
    _start(work, users or [_active_user(work)])
    processes = service_manager_processes(work)
    work.memo.put(_STARTED, json.dumps([[p.pid, p.started] for p in processes]))


def stop_again(work: Work) -> None:
    """Undo of start-service-manager: stop it, and let the guard close it from now on."""
    work.guard.spare_none()
    _stop(work)


def spare_started(work: Work) -> None:
    """Spare what start-service-manager started, once more: an agent that died forgot it."""
    raw = work.memo_of(StepName.START_SERVICE_MANAGER).get(_STARTED)
    started = {tuple(pair) for pair in json.loads(raw or "[]")}
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


def refuse_while_running(work: Work) -> None:
    """Raise `Refused` SERVICE_MANAGER_STILL_RUNNING when any of it runs."""
    running = service_manager_processes(work) + open_now(work, _programs(work))
    if running:
        raise Refused(
            Refusal.SERVICE_MANAGER_STILL_RUNNING,
            f"cannot stop the service manager of {work.profile.title}: it still runs for "
            f"{who(running)}; quit it there, then retry",
        )


def _programs(work: Work) -> Programs:
    return service_manager_programs(work.profile, work.installation.folder)


def _what_runs(work: Work) -> list[dict[str, Any]]:
    running = service_manager_processes(work)
    pids = {process.pid for process in running}
    return [
        {
            "user": process.user,
            "session": process.session,
            "argv": process.argv,
            "cwd": process.cwd,
        }
        for process in running
        if process.parent not in pids  # a helper of another one comes back with it
    ]


def _found(work: Work) -> list[dict[str, Any]]:
    raw = work.memo_of(StepName.STOP_SERVICE_MANAGER).get(_FOUND)
    found: list[dict[str, Any]] = json.loads(raw or "[]")
    return found


def _stop(work: Work) -> None:
    manager = work.profile.service_manager
    if manager.kind is ServiceManagerKind.SYSTEMD:
        work.platform.services.stop(manager.unit)
        _wait_until_stopped(work)
    if manager.programs:
        close_all(work, _programs(work))
    refuse_while_running(work)


def _wait_until_stopped(work: Work) -> None:
    end = work.platform.clock() + _GRACE_OF_A_STOP_SECONDS
    while service_manager_processes(work) and work.platform.clock() < end:
        work.pause(LOOK_SECONDS)


def _start(work: Work, users: list[str]) -> None:
    kind = work.profile.service_manager.kind
    if kind is ServiceManagerKind.NONE:
        return
    if kind is ServiceManagerKind.SYSTEMD:
        work.platform.services.start(work.profile.service_manager.unit)
    elif not service_manager_processes(work):
        _start_programs(work, users)
    _prove_back(work)


def _start_programs(work: Work, users: list[str]) -> None:
    folder, manager = work.installation.folder, work.profile.service_manager
    program, *arguments = manager.start
    argv = [str(folder / program), *(fill(text, work.installation.values) for text in arguments)]
    for user in users:
        work.guard.spare(work.platform.start_program(argv, folder, user))


def _prove_back(work: Work) -> None:
    end = work.platform.clock() + work.profile.health.timeout_seconds
    while not service_manager_processes(work):
        if work.platform.clock() >= end:
            raise Failed(f"cannot start the service manager of {work.profile.title}: no process")
        work.pause(LOOK_SECONDS)
    for process in service_manager_processes(work):
        work.guard.spare(process)
    work.pause(_SETTLE_SECONDS)
    running = service_manager_processes(work)
    if not running:
        raise Failed(f"cannot keep the service manager of {work.profile.title} up: it ended again")
    work.fact("service_manager", f"runs for {who(running)}")


def _active_user(work: Work) -> str:
    return next((session.user for session in work.platform.sessions() if session.active), "")
