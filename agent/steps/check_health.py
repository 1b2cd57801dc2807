"""Confirms that the app is back: versions, service manager, port, page, and all of it for a while.

On disk both versions must be the new one: an app that is new with a service manager that is old
is the vendor's silent half-success. The service manager must run for everybody for whom it was
started, in their session; where nobody is logged in nothing runs that could be asked, and the
versions on the disk are what is confirmed.
"""

from collections.abc import Callable

from agent.platforms.base import Process
from agent.steps.answers import page_url, said_by_page, why_port_silent
from agent.steps.modules import confirm_modules
from agent.steps.service_manager import (
    SETTLE_SECONDS,
    is_without_people,
    service_manager_processes,
    spare_started,
    why_not_running,
)
from agent.steps.table import Failed, Work
from agent.steps.versions import (
    Reading,
    app_reading,
    app_version,
    is_told_by_running,
    service_manager_version,
)
from agent.steps.whose import Whose, has_left, whose
from agent.wire.profile import ServiceManagerKind

_LOOK_SECONDS = 0.25
_FIRST_LOOKS_SECONDS = 0.05  # in the first second: whole groups wait while one host is looked at
_ASK_AGAIN_SECONDS = 5.0
_NOT_ASKED = "the service manager, its port and its page: nobody is logged in"


def check_health(work: Work) -> None:
    """Return when the new release has been well for the profile's soak time. Raises `Failed`."""
    spare_started(work)
    if not is_told_by_running(work.profile.app.version):
        _check(_versions(work))
    _until_well(work)
    before = _running(work)
    _check(_versions(work))
    _soak(work, before)
    _check(confirm_modules(work))
    if is_without_people(work):
        work.fact("not_asked", _NOT_ASKED)
    work.fact("app_version", app_version(work))
    work.fact("service_manager_version", service_manager_version(work))


def _check(why: str) -> None:
    if why:
        raise Failed(f"cannot confirm that it is back: {why}")


def _versions(work: Work) -> str:
    wanted, app = work.params.version, app_reading(work)
    if app.version != wanted:
        return f"the app says {app.version or 'nothing'}, not {wanted}" + _because(app)
    manager = service_manager_version(work)
    if work.profile.service_manager.version and manager != wanted:
        return f"the service manager says {manager or 'nothing'}, not {wanted}"
    return ""


def _because(reading: Reading) -> str:
    return f" ({reading.why})" if reading.why else ""


def _until_well(work: Work) -> None:
    begun, limit = work.platform.clock(), work.profile.health.timeout_seconds
    while why := _why_unwell(work):
        waited = work.platform.clock() - begun
        if waited >= limit:
            _check(f"{why} (waited {limit:g} s)")
        work.pause(_LOOK_SECONDS if waited > 1 else _FIRST_LOOKS_SECONDS)


def _soak(work: Work, before: list[tuple[Process, Whose]]) -> None:
    """Watch all of it for a while: one that ends and is started anew has not stayed up."""
    now = work.platform.clock()
    end, ask = now + _soak_seconds(work), now + _ASK_AGAIN_SECONDS
    while work.platform.clock() < end:
        work.pause(_LOOK_SECONDS)
        _check(_why_not_the_same(work, before))
        if work.platform.clock() >= ask:
            _check(_why_unwell(work))
            ask = work.platform.clock() + _ASK_AGAIN_SECONDS
    _check(_why_not_the_same(work, before) or _why_unwell(work))


def _soak_seconds(work: Work) -> float:
    """Return how long it is watched; a service that answers nobody may end after its start."""
    profile = work.profile
    answers = profile.health.port or profile.health.http
    is_bare = profile.service_manager.kind is ServiceManagerKind.SYSTEMD and not answers
    return max(profile.health.soak_seconds, SETTLE_SECONDS if is_bare else 0.0)


def _running(work: Work) -> list[tuple[Process, Whose]]:
    is_service = work.profile.service_manager.kind is ServiceManagerKind.SYSTEMD
    sessions = () if is_service else work.platform.sessions()  # a service is in none
    return [(p, whose(p, sessions)) for p in service_manager_processes(work)]


def _why_not_the_same(work: Work, before: list[tuple[Process, Whose]]) -> str:
    gone = [(p, one) for p, one in before if not work.platform.is_alive(p)]
    for process, one in gone:
        if not has_left(one, work.platform.sessions()):
            return f"the service manager of {one} (pid {process.pid}) did not stay up" + (
                f": it runs as pid {later} now" if (later := _later(work, before)) else ""
            )
    return ""


def _later(work: Work, before: list[tuple[Process, Whose]]) -> str:
    pids = {process.pid for process, _ in before}
    return ", ".join(str(p.pid) for p in service_manager_processes(work) if p.pid not in pids)


def _running_version(work: Work) -> str:
    return _versions(work) if is_told_by_running(work.profile.app.version) else ""


def _why_unwell(work: Work) -> str:
    return next((why for look in _LOOKS if (why := look(work))), "")


def _service_manager(work: Work) -> str:
    if work.profile.service_manager.kind is ServiceManagerKind.NONE:
        return ""
    return why_not_running(work)


def _port(work: Work) -> str:
    return "" if is_without_people(work) else why_port_silent(work)


def _page(work: Work) -> str:
    if not work.profile.health.http or is_without_people(work):
        return ""
    try:
        found = said_by_page(work)
    except (OSError, ValueError) as error:
        return f"{page_url(work)} does not answer: {error}"
    wanted = work.params.version
    return (
        "" if found == wanted else f"{page_url(work)} says {found or 'no version'}, not {wanted}"
    )


_LOOKS: tuple[Callable[[Work], str], ...] = (
    _service_manager,
    _port,
    _page,
    _running_version,
)
