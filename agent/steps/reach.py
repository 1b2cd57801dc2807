"""Tries whether this host reaches the addresses that the profile names. Nothing is said there.

Each is connected to and left at once, all at the same time: one that is silent holds nobody up.
"""

import socket
from concurrent.futures import ThreadPoolExecutor

from agent.steps.table import Failed, Work
from agent.steps.versions import fill, unfilled
from agent.wire.contract import Finding, Severity

_SECONDS = 4.0
_AT_ONCE = 20


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
