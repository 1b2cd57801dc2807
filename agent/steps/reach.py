"""Tries whether this host reaches the addresses that the profile names. Nothing is said there.

Each is connected to and left at once, all at the same time: one that is silent holds nobody up.
"""

import socket
from concurrent.futures import ThreadPoolExecutor

from agent.steps.service_manager import service_manager_processes
from agent.steps.table import Failed, Work
from agent.steps.versions import fill, unfilled
from agent.wire.contract import Finding, Severity

_SECONDS = 4.0
_AT_ONCE = 20
_HOST = "127.0.0.1"


def survey_reach(work: Work) -> None:
    """Add a finding for each address that does not answer."""
    values = work.installation.values
    peers = [peer for peer in work.profile.reach if not unfilled(peer, values)]
    if not peers:
        return
    with ThreadPoolExecutor(_AT_ONCE, "reach") as pool:
        answers = list(pool.map(why_not_reached, [fill(peer, values) for peer in peers]))
    for peer, why in zip(peers, answers, strict=True):
        if why:
            text = f"cannot reach {fill(peer, values)}, which the app needs: {why}"
            fix = "open the way there in the firewall, or have the name known on this network"
            work.find(Finding("not-reached", Severity.BLOCKS, text[:500], fix))
    work.fact("reached", f"{answers.count('')} of {len(peers)}")


def survey_own_port(work: Work) -> None:
    """Add a finding when the service manager runs here and its port does not answer."""
    text, values = work.profile.health.port, work.installation.values
    if not text or unfilled(text, values) or not service_manager_processes(work):
        return
    port = fill(text, values)
    if why := why_not_reached(f"{_HOST}:{port}"):
        message = f"the service manager runs, and its port {port} does not answer: {why}"
        fix = "see to that first: the port must answer after the update"
        work.find(Finding("port-silent", Severity.WARNING, message[:500], fix))


def why_not_reached(peer: str) -> str:
    """Return why nothing answers at "host:port", "" when something does."""
    host, _, port = peer.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), _number(port)), _SECONDS):
            return ""
    except (OSError, UnicodeError, Failed) as error:
        return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _number(port: str) -> int:
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Failed(f'"{port}" is no port: agent.toml must give a number')
    return int(port)
