"""What a person, or a program, sees of the demo."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import typer

from coordinator.cli.output import table

_AS_JSON = ("rollout", "hosts", "violations", "relaunches", "drafts")


@dataclass
class Verdict:
    """What the demo shows at its end, and its exit code."""

    rollout: dict[str, Any]
    hosts: list[dict[str, Any]]
    violations: list[dict[str, Any]]
    relaunches: list[dict[str, Any]]
    drafts: list[dict[str, Any]]  # what was written and not saved, and where it is
    rolled_back: list[str] = field(default_factory=list)  # who and why, a line each
    report: str = ""

    @property
    def is_well(self) -> bool:
        """True when every workstation was updated and nothing was seen that must not be."""
        return self.rollout["state"] == "done" and not self.violations


class Show:
    """What a person sees while the demo runs; nothing at all with --json."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        """Print one line, with how long the demo has run."""
        if not self.quiet:
            typer.echo(f"{time.monotonic() - self._begun:5.1f} s  {text}")

    def verdict(self, verdict: Verdict, *, as_json: bool) -> None:
        """Print how it ended."""
        if as_json:
            typer.echo(json.dumps({key: getattr(verdict, key) for key in _AS_JSON}, indent=2))
            return
        rows = [list(host.values()) for host in verdict.hosts]
        headers = ("workstation", "state", "from", "to", "exclusive seconds")
        typer.echo(f"\n{table(headers, rows, 'no workstation')}\n")
        typer.echo(
            f"rollout {verdict.rollout['id']}: {verdict.rollout['state']} "
            f"in {verdict.rollout['seconds']} s"
        )
        for line in verdict.rolled_back:
            typer.echo(f"rolled back: {line}")
        for draft in verdict.drafts:
            typer.echo(_told_of(draft))
        for violation in verdict.violations:
            at = violation["host"]
            typer.echo(f"violation: {violation['kind']} at {at}: {violation['detail']}", err=True)
        if not verdict.violations:
            typer.echo(
                "the witness found no violation: versions, kept files, nobody open elsewhere"
            )
        typer.echo(f"report: {verdict.report}")


def _told_of(draft: dict[str, Any]) -> str:
    """Return what became of work that somebody had not saved."""
    asked = "was asked about it in vain" if draft["asked"] else "was not asked about it"
    places = " and in ".join(draft["found"])
    found = f"every byte is in {places}" if places else "it is nowhere any more"
    return f"{draft['host']}: {draft['user']} had work unsaved, and {asked}; {found}"
