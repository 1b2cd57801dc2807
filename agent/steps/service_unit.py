"""What keeps a service stopped in its system: done ahead of a visit, and taken away after it.

Systemd reads all its units for it, which takes longer than to stop the service: so it is done
while people work.
"""

from agent.steps.table import Work
from agent.wire.profile import ServiceManagerKind


def is_service(work: Work) -> bool:
    """True where the service manager is a service of the system, not a program of a person."""
    return work.profile.service_manager.kind is ServiceManagerKind.SYSTEMD


def prepare(work: Work) -> None:
    """Part of stage: do ahead what takes long in a stop."""
    if is_service(work):
        work.platform.services.prepare(work.profile.service_manager.unit)


def forget(work: Work) -> None:
    """Part of unstage: undo what was done ahead; a service that is kept stopped is left so."""
    if is_service(work):
        work.platform.services.leave(work.profile.service_manager.unit)


def free(work: Work) -> None:
    """Let the service be started by others, as it is not started here."""
    if is_service(work):
        work.platform.services.free(work.profile.service_manager.unit)


def let_be(work: Work) -> None:
    """Tidy of drain: leave no trace in the system; people were let in, whatever runs."""
    free(work)
    forget(work)
