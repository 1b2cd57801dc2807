"""Writes the part of agent.toml that enrolment knows; what the administrator wrote stays."""

import re

from agent.wire.enrolment import Granted

_HOST = re.compile(r"\s*host\s*=")


def with_enrolment(old: str, granted: Granted) -> str:
    """Return agent.toml with this host and these coordinators; other lines are as they were."""
    top, tables = _split(old)
    lines = [f'host = "{granted.host_id}"', *top]
    for one in granted.coordinators:
        lines += [
            "",
            "[[coordinators]]",
            f'link = "{one.link}"',
            f'https = "https://{one.https}"',
        ]
    if tables:
        lines += ["", *tables]
    return "\n".join(lines) + "\n"


def _split(old: str) -> tuple[list[str], list[str]]:
    """Return the lines above the first table, and the tables, without what enrolment writes."""
    top: list[str] = []
    tables: list[str] = []
    here, ours = top, False
    for line in old.splitlines():
        if line.lstrip().startswith("["):
            here, ours = tables, line.strip().startswith("[[coordinators]]")
        if not ours and not (here is top and _HOST.match(line)):
            here.append(line)
    return [line for line in top if line.strip()], tables
