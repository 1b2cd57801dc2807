"""`roundsman plan`, `drill` and `doctor`: what would happen, and what speaks against it."""

import re
from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import Annotated

import typer

from agent.wire.contract import Severity
from coordinator.api.asks import DoctorAsk, DrillAsk, PlanAsk
from coordinator.api.plan_schemas import PlannedHostView, PlanView
from coordinator.api.schemas import CheckView, FindingView
from coordinator.cli.matrix import matrix_text, modules_text
from coordinator.cli.output import Json, clock, end, pairs, show, table
from coordinator.cli.progress import waited_for
from coordinator.cli.talk import Yes, agreed, ask, talking
from coordinator.complaint import Complaint
from coordinator.model import AfterRollBack
from coordinator.vendor_text import headline

_PLAN_NAME = re.compile(r"p?[0-9]+")


Grace = Annotated[
    float | None, typer.Option(help="Seconds people have to save; else the profile's.")
]
OnFailure = Annotated[
    AfterRollBack, typer.Option(help="Once a host has failed: stop, skip, roll-back-all.")
]
Announce = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHEN",
        help="Tell everybody ahead: 'day-before 16:00', 'morning 08:00' or start; repeatable.",
    ),
]
Postpones = Annotated[
    int, typer.Option(min=0, max=20, help="How often a person may have 5 more minutes.")
]
Mail = Annotated[
    list[str] | None,
    typer.Option(metavar="ADDRESS", help="Who is told how it ends, too; repeatable."),
]

Leave = Annotated[
    list[str] | None,
    typer.Option(metavar="MODULE[@HOST]", help="A module that is not updated along; repeatable."),
]


def plan(
    app: Annotated[str, typer.Argument(metavar="APP|PLAN", help="An app; or, say, p3.")],
    version: Annotated[str, typer.Argument(help="With APP: to which version.")] = "",
    group: Annotated[str, typer.Option(help="Which group, when there are several.")] = "",
    site: Annotated[str, typer.Option(help="At which site.")] = "",
    window: Annotated[str, typer.Option(help="Say 12:00-14:00; else until midnight.")] = "",
    within: Annotated[float, typer.Option(help="From now, for so many seconds.")] = 0,
    grace: Grace = None,
    retries: Annotated[int, typer.Option(help="How often a step is tried again.")] = 1,
    on_failure: OnFailure = AfterRollBack.STOP,
    notice: Annotated[str, typer.Option(help="What people read on their screens.")] = "",
    announce: Announce = None,
    postpones: Postpones = 2,
    mail: Mail = None,
    leave: Leave = None,
    as_json: Json = False,
) -> None:
    """Make or show a timetable; changes nothing. Exits 1 when something speaks against it."""
    with talking() as client:
        if not version and _PLAN_NAME.fullmatch(app):
            found = client.plan(app)
        elif not version:
            raise Complaint(
                f"cannot plan {app}: to which version is not said",
                f"roundsman plan {app} VERSION, one of: roundsman release list",
            )
        else:
            given: dict[str, object] = {"app": app, "version": version, "window": window}
            given |= {"retries": retries, "then": on_failure, "grace_seconds": grace}
            given |= {"group": group or None, "site": site or None, "notice": notice}
            given |= {"announce": announce or [], "postpones": postpones, "mail": mail or []}
            given["leave"] = leave or []
            wanted = ask(PlanAsk, **given, within_seconds=within or None)
            with waited_for("every workstation is asked how it is"):
                found = client.make_plan(wanted)
    show(found, lambda: plan_text(found), as_json=as_json)
    end(needs_a_person=found.needs_a_person)


def plan_text(found: PlanView) -> str:
    """Return a plan as plain text."""
    facts = pairs(
        [
            ("plan", f"{found.label}: {found.app} {found.version}, {found.site}/{found.group}"),
            ("window", _window(found.opens, found.deadline)),
            ("would end", clock(found.ends)),
            ("told ahead", ", ".join(clock(moment) for moment in found.announce)),
            ("closing", _closing(found)),
            ("postponed", _postponed(found.postpones)),
            ("first", _first(found.server_first)),
            ("mail to", ", ".join(found.mail)),
            ("verdict", found.verdict),
            ("notes", _notes(found)),
        ]
    )
    rows = [_row(host) for host in found.hosts]
    parts = [facts, table(_HEADERS, rows, "no workstation"), matrix_text(found)]
    parts += [modules_text(found), _findings(found.findings)]
    if not found.needs_a_person:
        again = "drill" if found.drill else "rollout start"
        parts.append(f"next: roundsman {again} {found.label}")
    return "\n\n".join(part for part in parts if part)


def _window(opens: float, closes: float) -> str:
    """Return from when until when; a window that runs past midnight says so in words."""
    begins, ends = (datetime.fromtimestamp(at).astimezone() for at in (opens, closes - 1))
    days = (ends.date() - begins.date()).days
    over = {0: "", 1: ", past midnight: until the next day"}.get(days, f", over {days} midnights")
    return f"{clock(opens)} to {clock(closes)}{over}"


_HEADERS = ("", "host", "role", "from", "begins", "ends", "sessions", "why here")


def _row(h: PlannedHostView) -> tuple[object, ...]:
    begins, ends = clock(h.begins), clock(h.ends)
    sessions = _sessions(h.sessions, h.sessions_away, h.sessions_open)
    return h.place + 1, h.host, h.role, h.from_version, begins, ends, sessions, h.reason


def _closing(found: PlanView) -> str:
    """Return how long closing takes; where an app is left open a person ends it, not the clock."""
    minutes = ceil(found.closing_seconds / 60)
    said = [f"takes {minutes} min at most"] * bool(minutes)
    if any(_is_waited_for(finding) for finding in found.findings):
        said.append("then waits for you where nobody can answer")
    return ", ".join(said)


def _is_waited_for(found: FindingView) -> bool:
    return found.code == "nobody-answers" and found.severity is not Severity.NOTE


def _sessions(*counts: object) -> str:
    """Return "3, 1 away, open in 2"; away = nobody can answer there."""
    said = zip(counts, ("{}", "{} away", "open in {}"), strict=True)
    return ", ".join(form.format(count) for count, form in said if str(count) not in {"", "0"})


def _notes(found: PlanView) -> str:
    """Return the beginning of the vendor's notes, and where the rest is."""
    if not found.notes:
        return ""
    whole = f"all of them: roundsman release notes {found.app} {found.version}"
    return f"{headline(found.notes)}; {whole}"


def _postponed(times: int) -> str:
    often = {1: "once", 2: "twice"}.get(times, f"{times} times")
    return f"5 more minutes, {often} at most" if times else ""


def _first(role: str) -> str:
    return f"role {role}; the others may use the old release until their own turn" if role else ""


def drill(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Say p3.")],
    window: Annotated[str, typer.Option(help="Say 18:00-19:00; else the plan's own.")] = "",
    within: Annotated[float, typer.Option(help="From now, for so many seconds.")] = 0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Walk a plan for real with nothing applied: notice, close, back up, start, check, re-open.

    Nobody can use the app meanwhile. Each host must come back on the version that it has.
    """
    agreed(f"Close the app on every host of {plan} for a drill?", yes=yes)
    with talking() as client:
        wanted = ask(DrillAsk, plan=plan, window=window, within_seconds=within or None)
        started = client.drill(wanted)
    follow = f"roundsman rollout watch {started.label}"
    show(started, lambda: f"{started.label}, a drill, is under way: {follow}", as_json=as_json)


def doctor(
    hosts: Annotated[list[str] | None, typer.Argument(metavar="HOST...")] = None,
    app: Annotated[str, typer.Option(help="For which application.")] = "",
    version: Annotated[str, typer.Option(help="Judged for this release of it.")] = "",
    as_json: Json = False,
) -> None:
    """Ask workstations what would spoil the day. Exits 1 when something would."""
    with talking() as client:
        wanted = ask(DoctorAsk, hosts=hosts or [], app=app or None, version=version or None)
        with waited_for("the workstations are asked how they are"):
            found = client.doctor(wanted)
    show(found, lambda: _checks(found), as_json=as_json)
    end(needs_a_person=any(check.needs_a_person for check in found))


_SESSIONS = ("sessions", "sessions_away", "open_sessions")


def _checks(found: list[CheckView]) -> str:
    rows = [
        (
            c.host,
            c.facts.get("app_version", ""),
            c.facts.get("service_manager_version", ""),
            c.facts.get("open_users", ""),
            _sessions(*(c.facts.get(key, "") for key in _SESSIONS)),
            c.problem or ("see below" if c.findings else "well"),
        )
        for c in found
    ]
    headers = ("host", "app", "service manager", "open for", "sessions", "state")
    listed = table(headers, rows, "No workstation to ask: roundsman fleet list")
    return "\n\n".join(filter(None, (listed, _findings([f for c in found for f in c.findings]))))


def _findings(found: Sequence[FindingView]) -> str:
    rows = [(f.severity, f.host, f.message.removeprefix(f"{f.host}: "), f.fix) for f in found]
    return table(("severity", "host", "finding", "fix"), rows, "")
