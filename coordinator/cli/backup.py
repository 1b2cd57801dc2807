"""`roundsman backup`: the backups of one workstation, listed, verified, restored."""

from typing import Annotated

import typer

from agent.wire.contract import StepName
from coordinator.api.asks import BackupAsk, RestoreAsk
from coordinator.api.backup_schemas import BackupView, ErrandView
from coordinator.api.client import Client
from coordinator.cli.output import Json, clock, duration, end, pairs, show, size, table
from coordinator.cli.progress import Now, followed
from coordinator.cli.talk import Yes, agreed, ask, talking
from coordinator.complaint import Complaint

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

HostName = Annotated[str, typer.Argument(metavar="HOST", help="Name or id.")]
AppOption = Annotated[str, typer.Option("--app", help="Of which application.")]
Named = Annotated[
    str, typer.Option("--backup", metavar="NAME", help="Which one; else the newest complete.")
]


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

    def look() -> ErrandView:
        return client.errand(begun.id).model_copy(update={"app": begun.app})

    leave = f"{begun.host} goes on with it without you"
    return followed(begun, look, _now, quiet=quiet, leave=leave)


def _now(seen: ErrandView) -> Now | None:
    if seen.verdict is not None:
        return None
    return Now(f"{seen.host}: {seen.step or seen.what}", seen.bytes_done, seen.bytes_total)


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
