"""`roundsman health` and `roundsman audit`."""

from typing import Annotated

import typer

from coordinator.api.schemas import HealthView
from coordinator.cli.output import Json, clock, duration, end, pairs, show, table
from coordinator.cli.talk import talking


def health(as_json: Json = False) -> None:
    """Show how the coordinator is. Exits 1 when it needs a person."""
    with talking() as client:
        found = client.health()
    show(found, lambda: _shown(found), as_json=as_json)
    end(needs_a_person=bool(found.problems))


def _shown(found: HealthView) -> str:
    expiries = ", ".join(f"{kind} {clock(at)}" for kind, at in found.expiries.items())
    return pairs(
        [
            ("state", found.state),
            ("version", found.version),
            ("up", duration(found.up_seconds)),
            ("you", f"{found.you.name}, {found.you.role}"),
            ("hosts", f"{found.hosts}, {found.linked} linked"),
            ("under way", ", ".join(found.active) or "nothing"),
            ("expires", expiries),
            *(("problem", problem) for problem in found.problems),
        ]
    )


def audit(
    most: Annotated[int, typer.Option(help="How many lines.", min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """Show who did what, newest first."""
    with talking() as client:
        lines = client.audit(most)
    rows = [(clock(line.at), line.who, line.what, line.detail) for line in lines]
    show(
        lines, lambda: table(("when", "who", "what", "detail"), rows, "Nothing."), as_json=as_json
    )
