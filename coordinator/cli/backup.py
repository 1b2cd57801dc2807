"""`roundsman backup`: the backups of one workstation, listed, verified, restored."""

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from agent.wire.contract import StepName
from coordinator.api.asks import BackupAsk, RestoreAsk
from coordinator.api.backup_schemas import BackupView, ErrandView
from coordinator.api.client import Client
from coordinator.cli.output import Json, clock, duration, end, pairs, show, size, table
from coordinator.cli.talk import Yes, agreed, ask, talking
from coordinator.cli.watching import patiently
from coordinator.complaint import Complaint

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

HostName = Annotated[str, typer.Argument(metavar="HOST", help="Name or id.")]
AppOption = Annotated[str, typer.Option("--app", help="Of which application.")]
Named = Annotated[
    str, typer.Option("--backup", metavar="NAME", help="Which one; else the newest complete.")
]
_LOOK_SECONDS = 0.5
_SAID_EVERY = 5.0


@app.command("list")
def list_(host: HostName, app_name: AppOption = "", as_json: Json = False) -> None:
    """List the backups of a workstation, the newest last. Exits 1 when one is damaged."""
    with talking() as client:
        found = client.backups(host, ask(BackupAsk, app=app_name or None))
    show(found, lambda: _listed(found), as_json=as_json)
    end(needs_a_person=any(backup.damaged for backup in found))


def _listed(found: list[BackupView]) -> str:
    rows = [
        (
            b.name,
            b.rollout,
            b.app,
            b.version,
            clock(b.made),
            _state(b),
            b.files,
            size(b.bytes),
            "yes" if b.encrypted else "no",
        )
        for b in found
    ]
    headers = ("name", "by", "app", "version", "made", "state", "files", "size", "encrypted")
    return table(headers, rows, "No backup yet: a rollout makes one before it changes a host.")


def _state(backup: BackupView) -> str:
    if backup.damaged:
        return "damaged"
    return "complete" if backup.complete else "not completed"


@app.command()
def verify(
    host: HostName, app_name: AppOption = "", backup: Named = "", as_json: Json = False
) -> None:
    """Read all of a backup against its list. Exits 1 when anything of it is damaged."""
    with talking() as client:
        begun = client.verify_backup(host, ask(BackupAsk, app=app_name or None, backup=backup))
        done = _followed(client, begun, quiet=as_json)
    _end(done, as_json=as_json)


@app.command()
def restore(
    host: HostName,
    app_name: AppOption = "",
    backup: Named = "",
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Beside, compared and deleted; nothing changes.")
    ] = False,
    leave_closed: Annotated[
        bool,
        typer.Option("--leave-closed", help="Even to another version than its group's."),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Restore an app from a backup: closed, swapped in, opened again. Exits 1 if that failed.

    What was in the app's folder is kept beside it. A workstation that leaves the version of its
    group stays closed (--leave-closed) until the next rollout of the group.
    """
    if rehearse and leave_closed:
        raise Complaint("cannot rehearse and leave closed: a rehearsal changes nothing")
    given = {"app": app_name or None, "backup": backup}
    if not rehearse:
        which = f"backup {backup}" if backup else "its newest complete backup"
        agreed(
            f"Close the app on {host} and restore {which}? People there are asked to save first",
            yes=yes,
        )
    with talking() as client:
        if rehearse:
            begun = client.rehearse_restore(host, ask(BackupAsk, **given))
        else:
            wanted = ask(RestoreAsk, **given, leave_closed=leave_closed)
            begun = client.restore_backup(host, wanted)
        done = _followed(client, begun, quiet=as_json)
    _end(done, as_json=as_json)


def _end(done: ErrandView, *, as_json: bool) -> None:
    show(done, lambda: _outcome(done), as_json=as_json)
    end(needs_a_person=done.needs_a_person)


def _followed(client: Client, begun: ErrandView, *, quiet: bool) -> ErrandView:
    """Return the errand once it has ended, having told people of its progress meanwhile."""
    console = Console(stderr=True)
    try:
        if console.is_terminal and not quiet:
            return _drawn(client, begun, console)
        return _told(client, begun, quiet=quiet)
    except KeyboardInterrupt:
        typer.echo(f"\n{begun.host} goes on with it without you", err=True)
        raise typer.Exit(1) from None


def _drawn(client: Client, begun: ErrandView, console: Console) -> ErrandView:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(begun.host, total=None)
        seen = begun
        while seen.verdict is None:
            time.sleep(_LOOK_SECONDS)
            seen = _seen(client, begun)
            bars.update(
                bar,
                description=f"{seen.host}: {seen.step or seen.what}",
                completed=seen.bytes_done,
                total=seen.bytes_total or None,
            )
    return seen


def _told(client: Client, begun: ErrandView, *, quiet: bool) -> ErrandView:
    said, at, seen = "", time.monotonic(), begun
    while seen.verdict is None:
        time.sleep(_LOOK_SECONDS)
        seen = _seen(client, begun)
        late = time.monotonic() - at > _SAID_EVERY
        if seen.step and not quiet and (seen.step != said or late):
            said, at = seen.step, time.monotonic()
            typer.echo(f"{seen.host}: {seen.step}{_bytes(seen)}", err=True)
    return seen


def _bytes(seen: ErrandView) -> str:
    return f", {size(seen.bytes_done)} of {size(seen.bytes_total)}" if seen.bytes_total else ""


def _seen(client: Client, begun: ErrandView) -> ErrandView:
    seen = patiently(lambda: client.errand(begun.id))
    return seen.model_copy(update={"app": begun.app})


def _outcome(done: ErrandView) -> str:
    facts = pairs(
        [
            ("outcome", _sentence(done)),
            ("why", done.detail),
            ("mend", done.mend),
            ("backup", done.facts.get("backup", "")),
            ("version", done.facts.get("version", "")),
            ("files", done.facts.get("files", "")),
            ("size", _size(done.facts.get("bytes", ""))),
            ("took", duration((done.ended or done.now) - done.began)),
            ("kept", done.facts.get("kept_folder", "")),
        ]
    )
    rows = [(f.severity, f.message, f.fix) for f in done.findings]
    return "\n\n".join(filter(None, (facts, table(("severity", "finding", "fix"), rows, ""))))


def _size(count: str) -> str:
    return size(int(count)) if count.isdecimal() else ""


_WHAT = {
    StepName.VERIFY_BACKUP: "verify the backup",
    StepName.REHEARSE_RESTORE: "rehearse the restore",
    StepName.RESTORE_BACKUP: "restore the backup",
}
_DONE = {
    StepName.VERIFY_BACKUP: "the backup on {host} is as it was made",
    StepName.REHEARSE_RESTORE: "the backup on {host} can be restored: rebuilt, compared, deleted",
    StepName.RESTORE_BACKUP: "{host} is restored and open again",
}


def _sentence(done: ErrandView) -> str:
    if not done.needs_a_person and not done.stays_closed:
        return _DONE[done.what].format(host=done.host)
    if done.findings:
        return f"the backup on {done.host} is damaged"
    closed = f"; {done.host} stays closed" if done.stays_closed else ""
    if not done.needs_a_person:
        return f"{done.host} is restored{closed}"
    return f"{done.host} could not {_WHAT[done.what]}{closed}"
