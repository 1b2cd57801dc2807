"""`roundsman profile record` and `try`: a profile of one's own, from a host and on a host."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.api.asks import DrillAsk, RecordAsk
from coordinator.api.client import Client
from coordinator.api.record_schemas import CandidateView, RecordView
from coordinator.cli.output import Json, end, show, table
from coordinator.cli.picture import status_text
from coordinator.cli.profile import app
from coordinator.cli.talk import Yes, agreed, ask, talking
from coordinator.cli.watching import watch as follow
from coordinator.complaint import Complaint
from coordinator.walk.states import RolloutState

HostName = Annotated[str, typer.Argument(metavar="HOST", help="Name or id.")]


@app.command()
def record(
    host: HostName,
    folder: Annotated[str, typer.Option(help="Which of the folders that were seen.")] = "",
    name: Annotated[str, typer.Option(help="What the profile is called.")] = "",
    as_json: Json = False,
) -> None:
    """Draft a profile of what runs on a host, as NAME.toml here. Nothing there is touched.

    Exits 1 when several applications run there: say which with --folder.
    """
    with talking() as client:
        found = client.record(host, ask(RecordAsk, folder=folder, name=name))
    if found.draft:
        _write_new(Path(f"{found.name}.toml"), found)
    show(found, lambda: _recorded(found), as_json=as_json)
    end(needs_a_person=not found.draft)


def _write_new(file: Path, found: RecordView) -> None:
    """Write the draft; a file that is there is never overwritten. Raises `Complaint`."""
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(found.draft)
    except FileExistsError:
        again = f"roundsman profile record {found.host} --folder '{found.folder}' --name OTHER"
        raise Complaint(f"cannot write {file}: it is there already", again) from None
    except OSError as error:
        raise Complaint(f"cannot write {file}: {error.strerror}") from None


def _recorded(found: RecordView) -> str:
    if found.draft:
        file = f"{found.name}.toml"
        checks = found.draft.count("CHECK")
        return (
            f"{file}: a draft of what runs in {found.folder} on {found.host}\n"
            f"next: go through its {checks} lines marked CHECK, then: roundsman profile check "
            f"{file}"
        )
    seen = table(_HEADERS, [_row(c) for c in found.candidates], "")
    if not seen:
        return f"Nothing runs on {found.host} that could be it: open the application there first."
    more = f"\n{found.left_out} more folders are not listed" if found.left_out else ""
    which = f"which one: roundsman profile record {found.host} --folder FOLDER"
    return f"{seen}{more}\n\n{which}"


_HEADERS = ("folder", "programs", "of", "seen as", "at log-in", "package")


def _row(seen: CandidateView) -> tuple[str, ...]:
    programs = ", ".join(seen.programs[:3]) + (", ..." if len(seen.programs) > 3 else "")
    seen_as = {"window": seen.windows, "session": seen.session, seen.service: bool(seen.service)}
    return (
        seen.folder,
        programs,
        ", ".join(seen.users[:3]),
        ", ".join(word for word, holds in seen_as.items() if holds),
        ", ".join(seen.opens_at_log_in[:2]),
        seen.package,
    )


@app.command("try")
def try_(
    host: HostName,
    app_name: Annotated[str, typer.Option("--app", help="By which profile.")] = "",
    grace: Annotated[
        float | None, typer.Option(help="Seconds people have to save; else the profile's.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Close an app on a host for real, start and check it, and open it again; updates nothing.

    Exits 0 when all of it went well, 1 when something did not.
    """
    with talking() as client:
        wanted = app_name or _only_app(client)
        typer.echo(_WHAT.format(app=wanted, host=host), err=True)
        agreed(f"Close {wanted} on {host} now?", yes=yes)
        asked = ask(DrillAsk, app=wanted, hosts=[host], back_up=False, grace_seconds=grace)
        begun = client.drill(asked)
        ended = follow(
            client, begun.label, lambda line: typer.echo(line, err=True), live=not as_json
        )
    well = ended.state is RolloutState.DONE
    said = _WELL if well else _BADLY
    show(
        ended,
        lambda: f"{status_text(ended)}\n\n{said.format(app=wanted, host=host, label=ended.label)}",
        as_json=as_json,
    )
    end(needs_a_person=not well)


_WHAT = (
    "{app} on {host}: people are asked to leave it, it is closed and kept closed, its service "
    "manager is stopped and started again, it is checked, and opened to all. Nothing is updated."
)
_WELL = "the profile of {app} works on {host}: closed, kept closed, back on the version it had"
_BADLY = "the profile of {app} does not work on {host} yet: roundsman rollout report {label}"


def _only_app(client: Client) -> str:
    signed = [profile.name for profile in client.profiles() if profile.signed]
    if len(signed) != 1:
        which = f"which of {', '.join(signed)} is not said" if signed else "no profile is signed"
        mend = "--app APP" if signed else "roundsman release sign"
        raise Complaint(f"cannot try a profile: {which}", mend)
    return signed[0]
