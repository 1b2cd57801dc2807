"""What every kind asks at its end: is the ordered version the one that is installed."""

from agent.steps.table import Failed, Work
from agent.steps.versions import app_version


def confirm_version(work: Work) -> None:
    """Note the installed version. Raises `Failed` when it is not the ordered one."""
    found = app_version(work)
    work.fact("app_version", found)
    if found != work.params.version:
        raise Failed(
            f'cannot confirm the new release: "{work.profile.app.version.source}" says '
            f"{found or 'nothing'}, not {work.params.version}"
        )
