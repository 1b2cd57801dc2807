"""Whether the port and the page of a profile's health check answer on this host."""

from agent.steps.probes import page, why_no_answer
from agent.steps.table import Failed, Work
from agent.steps.versions import fill, version_in


def why_silent(work: Work) -> str:
    """Return why port and page of the profile's health check do not answer, "" when they do."""
    return why_port_silent(work) or _why_page_silent(work)


def why_port_silent(work: Work) -> str:
    """Return why the profile's port does not answer, "" when it does or there is none.

    Raises `Failed` when it is no number.
    """
    text = work.profile.health.port
    if not text:
        return ""
    filled = fill(text, work.installation.values)
    if not filled.isdecimal() or not 0 < int(filled) < 65_536:
        raise Failed(f'cannot ask port "{filled}": agent.toml must give a number')
    return why_no_answer(int(filled))


def said_by_page(work: Work) -> str:
    """Return the version that the profile's page tells, "" when none can be read in it.

    Raises `OSError` or `ValueError` when it does not answer.
    """
    return version_in(page(page_url(work)), work.profile.health.http_pattern)


def page_url(work: Work) -> str:
    """Return where the profile's page is on this host."""
    return fill(work.profile.health.http, work.installation.values)


def _why_page_silent(work: Work) -> str:
    if not work.profile.health.http:
        return ""
    try:
        page(page_url(work))
    except (OSError, ValueError) as error:
        return f"{page_url(work)} does not answer: {error}"
    return ""
