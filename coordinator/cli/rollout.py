"""`roundsman rollout`: started, watched, steered, explained."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.api.asks import CommandAsk, PlanAsk
from coordinator.api.schemas import RolloutView
from coordinator.cli.output import Json, end, show, table
from coordinator.cli.picture import History, list_text, news_line, status_text, why_text
from coordinator.cli.talk import Yes, agreed, ask, talking, write_text
from coordinator.cli.watching import watch as follow
from coordinator.walk.ports import Verb
from coordinator.walk.states import HostState, RolloutState

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
RolloutName = Annotated[
    str, typer.Argument(metavar="ROLLOUT", help="Say r12; the latest when left out.")
]
_AS_BEFORE = {HostState.PENDING, HostState.ROLLED_BACK, HostState.SKIPPED}
_LATEST = "latest"


@app.command()
def start(
    plan: Annotated[str, typer.Argument(metavar="PLAN|APP", help="Say p3; or an app.")],
    version: Annotated[str, typer.Argument(help="With APP: plan it and start it.")] = "",
    group: Annotated[str, typer.Option(help="With APP: which group.")] = "",
    as_json: Json = False,
) -> None:
    """Start a plan."""
    with talking() as client:
        key = plan
        if version:
            wanted = ask(PlanAsk, app=plan, version=version, group=group or None)
            key = client.make_plan(wanted).label
        started = client.start(key)
    show(
        started,
        lambda: f"{started.label} is under way: roundsman rollout watch {started.label}",
        as_json=as_json,
    )


@app.command("list")
def list_(
    active: Annotated[bool, typer.Option("--active", help="Only those under way.")] = False,
    as_json: Json = False,
) -> None:
    """List the rollouts, newest first. Exits 1 when one under way needs a person."""
    with talking() as client:
        found = client.rollouts(active=active)
    show(found, lambda: list_text(found), as_json=as_json)
    end(needs_a_person=any(r.needs_a_person and not r.ended for r in found))


@app.command()
def status(rollout: RolloutName = _LATEST, as_json: Json = False) -> None:
    """Show where a rollout and its hosts stand. Exits 1 when it needs a person."""
    with talking() as client:
        found = client.rollout(rollout)
    show(found, lambda: status_text(found), as_json=as_json)
    end(needs_a_person=found.needs_a_person)


@app.command()
def watch(rollout: RolloutName = _LATEST, as_json: Json = False) -> None:
    """Follow a rollout to its end; Ctrl-C leaves it running.

    Exits 0 when all is updated. Without a terminal it also ends, with 1, once the rollout has
    waited for a person for a minute.
    """
    with talking() as client:
        ended = follow(
            client, rollout, lambda line: typer.echo(line, err=as_json), live=not as_json
        )
    show(ended, lambda: status_text(ended), as_json=as_json)
    end(needs_a_person=ended.state is not RolloutState.DONE)


@app.command()
def why(rollout: RolloutName = _LATEST, as_json: Json = False) -> None:
    """Show who holds the walk, since when, for what, and what unblocks it. Exits as `status`."""
    with talking() as client:
        found = client.why(rollout)
    show(found, lambda: why_text(found), as_json=as_json)
    end(needs_a_person=found.needs_a_person)


@app.command()
def news(
    rollout: RolloutName = _LATEST,
    since: Annotated[int, typer.Option(help="Only after this number.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Show a rollout's history."""
    with talking() as client:
        found = client.news(rollout, since)
    fresh = History().fresh(found)
    show(found, lambda: "\n".join(map(news_line, fresh)) or "No news.", as_json=as_json)


@app.command()
def codes(rollout: RolloutName = _LATEST, as_json: Json = False) -> None:
    """Show the one-time codes that open sealed hosts on the spot, without the coordinator."""
    with talking() as client:
        found = client.codes(rollout)
    rows = [(c.host, c.code) for c in found]
    show(found, lambda: table(("host", "code"), rows, "No host is sealed."), as_json=as_json)


@app.command()
def report(
    rollout: RolloutName = _LATEST,
    html: Annotated[Path | None, typer.Option(help="Write it as a page, too.")] = None,
    as_json: Json = False,
) -> None:
    """Show a rollout's report."""
    with talking() as client:
        found = client.report(rollout, page=html is not None)
    if html is not None:
        write_text(html, found.page)
    show(found, lambda: found.text, as_json=as_json)


@app.command()
def pause(rollout: RolloutName = _LATEST, as_json: Json = False) -> None:
    """Let the rollout stop at its next safe point; the app stays closed where it is."""
    _say(rollout, as_json, Verb.PAUSE)


@app.command()
def resume(
    rollout: RolloutName = _LATEST,
    until: Annotated[str, typer.Option(help="A later deadline, HH:MM today.")] = "",
    as_json: Json = False,
) -> None:
    """Let a rollout go on that was paused, or waits because of its deadline."""
    _say(rollout, as_json, Verb.RESUME, until=until)


@app.command()
def retry(
    rollout: RolloutName = _LATEST,
    host: Annotated[str, typer.Option(help="The host it waits for.")] = "",
    as_json: Json = False,
) -> None:
    """Have a step tried again."""
    _say(rollout, as_json, Verb.RETRY, host)


@app.command()
def skip(
    rollout: Annotated[str, typer.Argument(metavar="ROLLOUT", help="Say r12.")],
    host: Annotated[str, typer.Argument(metavar="HOST")],
    switched_off: Annotated[
        bool, typer.Option("--switched-off", help="It is off, I have seen it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on without a host; it stays closed until it is updated."""
    _say(rollout, as_json, Verb.SWITCHED_OFF if switched_off else Verb.SKIP, host)


@app.command("roll-back")
def roll_back(
    rollout: RolloutName = _LATEST,
    host: Annotated[str, typer.Option(help="This host only; the whole group without it.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Bring a host, or the whole group, back to the old release."""
    everything = "every host that was updated, and the data they share as it was before that"
    agreed(f"Roll back {host or everything}?", yes=yes)
    _say(rollout, as_json, Verb.ROLL_BACK, host)


@app.command()
def abort(
    rollout: RolloutName = _LATEST,
    roll_back_all: Annotated[
        bool, typer.Option("--roll-back-all/--leave-closed", help="What becomes of the group.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """End a rollout before its time, after saying what becomes of the hosts already done."""
    with talking() as client:
        seen = client.rollout(rollout)
    typer.echo(consequences(seen, roll_back_all=roll_back_all), err=True)
    agreed(f"Abort {seen.label}?", yes=yes)
    _say(seen.id, as_json, Verb.ABORT_ROLL_BACK if roll_back_all else Verb.ABORT_LEAVE_CLOSED)


@app.command("take-over")
def take_over(rollout: RolloutName = _LATEST, as_json: Json = False) -> None:
    """End the turn of the person who was to update a workstation; the app is closed there.

    It is tried again for whoever is at the workstation then, as often as the plan says.
    """
    with talking() as client:
        seen = client.take_over(rollout)
    show(
        seen,
        lambda: f"{seen.label}: the app is being closed there; sit down at that workstation",
        as_json=as_json,
    )


def consequences(seen: RolloutView, *, roll_back_all: bool) -> str:
    """Return what becomes of the hosts when the rollout is aborted now."""
    changed = [v.host for v in seen.visits if v.began and v.state not in _AS_BEFORE]
    if seen.drill or not changed:
        return "No host is on another release than before: all re-open that were open before it."
    listed = ", ".join(changed)
    if roll_back_all:
        data = "Data they share goes back with them, the newer is kept aside."
        if seen.mixed:  # people have worked with it since
            data = "Before that the app is closed again on every host; data they share stays."
        return f"Rolled back to the old release: {listed}. {data} Then all hosts re-open."
    if seen.mixed:
        return f"Left as they are: {listed}. The others keep the old release, and may use it."
    return (
        f"Left as they are: {listed}. All {len(seen.visits)} hosts stay closed, the group being "
        f"of mixed versions, until: roundsman plan {seen.app} {seen.version}, or the codes: "
        f"roundsman rollout codes {seen.label}"
    )


def _say(rollout: str, as_json: bool, verb: Verb, host: str = "", until: str = "") -> None:
    wanted = ask(CommandAsk, verb=verb, host=host or None, until=until or None)
    with talking() as client:
        seen = client.say(rollout, wanted)
    about = f" {host}" if host else ""
    show(
        seen,
        lambda: f"{seen.label}: {verb.typed}{about} is noted, and heard at the next safe point",
        as_json=as_json,
    )
