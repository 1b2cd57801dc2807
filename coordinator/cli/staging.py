"""`roundsman release stage` and `staged`: a release sent to workstations ahead of time."""

import re
import time
from functools import partial
from typing import Annotated

import typer

from coordinator.api.asks import StageAsk
from coordinator.api.client import Client
from coordinator.api.staging_schemas import StagedView, StagingView
from coordinator.cli.output import Json, clock, duration, end, show, size, table
from coordinator.cli.talk import ask, talking
from coordinator.cli.watching import patiently
from coordinator.complaint import Complaint
from coordinator.model import StagedState, StagingState

_LOOK_SECONDS = 1.0
_RATE = re.compile(r"([0-9]{1,6})([kMG]?)")
_UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}

Hosts = Annotated[list[str] | None, typer.Argument(metavar="HOST...", help="Else all of them.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it until nothing more is under way.")]


def stage(
    name: Annotated[str, typer.Argument(metavar="APP")],
    version: Annotated[str, typer.Argument()],
    hosts: Hosts = None,
    group: Annotated[str | None, typer.Option(help="The workstations of this group.")] = None,
    at: Annotated[str | None, typer.Option(help="Begin at this time of day, as 22:00.")] = None,
    until: Annotated[str | None, typer.Option(help="With --at: only until then, daily.")] = None,
    rate: Annotated[str, typer.Option(help="Bytes a second for all together, as 20M.")] = "",
    slots: Annotated[int, typer.Option(help="Workstations at a time.", min=1, max=200)] = 8,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Have workstations fetch, verify and unpack a release now or at night; install it later."""
    wanted = ask(
        StageAsk,
        app=name,
        version=version,
        hosts=hosts or [],
        group=group,
        at=at,
        until=until,
        rate=bytes_of(rate),
        slots=slots,
    )
    with talking() as client:
        made = client.stage(wanted)
        if wait:
            made = _followed(client, made, quiet=as_json)
    show(made, lambda: _whole(made), as_json=as_json)
    end(needs_a_person=made.needs_a_person)


def staged(
    which: Annotated[str, typer.Argument(metavar="STAGING", help="As s3; else all.")] = "",
    stop: Annotated[bool, typer.Option("--stop", help="Fetch nothing more of it.")] = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Show what was sent ahead and how far it has come. Exits 1 when a workstation cannot."""
    with talking() as client:
        if not which and not stop and not wait:
            _list_all(client.stagings(), as_json=as_json)
            return
        found = _chosen(client, which)
        found = client.stop_staging(found.label) if stop else found
        if wait:
            found = _followed(client, found, quiet=as_json)
    show(found, lambda: _whole(found), as_json=as_json)
    end(needs_a_person=found.needs_a_person)


def bytes_of(text: str) -> int:
    """Return how many bytes a second "20M" is, 0 for "". Raises `Complaint`."""
    if not text:
        return 0
    match = _RATE.fullmatch(text)
    if match is None or not int(match[1]):
        raise Complaint(f"cannot use the rate {text!r}: write it as 500k, 20M or 1G")
    return int(match[1]) * _UNITS[match[2]]


def _chosen(client: Client, which: str) -> StagingView:
    if which:
        return client.staging(which)
    found = [one for one in client.stagings() if one.state is StagingState.UNDER_WAY]
    if len(found) != 1:
        labels = ", ".join(one.label for one in found) or "none is under way"
        raise Complaint(f"which staging: {labels}?", "roundsman release staged")
    return found[0]


def _followed(client: Client, found: StagingView, *, quiet: bool) -> StagingView:
    """Return the staging once nothing can be done for it now; Ctrl-C only ends the watching."""
    told = ""
    try:
        while found.state is StagingState.UNDER_WAY and found.opens is None and _is_busy(found):
            if not quiet and (line := _in_line(found)) != told:
                typer.echo(told := line)
            time.sleep(_LOOK_SECONDS)
            found = patiently(partial(client.staging, found.label))
    except KeyboardInterrupt:
        typer.echo(f"\n{found.label} goes on without you: roundsman release staged {found.label}")
        raise typer.Exit from None
    return found


def _is_busy(found: StagingView) -> bool:
    """True while a workstation fetches, or is on and about to, or all have just ended.

    A staging itself ends a moment after the last of its workstations.
    """
    if found.hosts and all(h.state.is_final for h in found.hosts):
        return True
    return any(h.linked and not h.state.is_final and not h.detail for h in found.hosts)


def _in_line(found: StagingView) -> str:
    ready = sum(host.state is StagedState.READY for host in found.hosts)
    said = f"{found.label}: {ready} of {len(found.hosts)} ready"
    return f"{said}, {fetched}" if (fetched := _progress(found)) else said


def _progress(of: StagingView | StagedView) -> str:
    return f"{size(of.bytes_done)} of {size(of.bytes_total)}" if of.bytes_total else ""


def _list_all(found: list[StagingView], *, as_json: bool) -> None:
    rows = [
        (
            one.label,
            f"{one.app} {one.version}",
            _in_words(one.state),
            f"{sum(h.state is StagedState.READY for h in one.hosts)} of {len(one.hosts)}",
            _progress(one),
            clock(one.opens),
            one.by,
        )
        for one in found
    ]
    headers = ("staging", "release", "state", "ready", "fetched", "goes on at", "by")
    empty = "Nothing was sent ahead yet: roundsman release stage APP VERSION"
    show(found, lambda: table(headers, rows, empty), as_json=as_json)
    under_way = [one for one in found if one.state is StagingState.UNDER_WAY]
    end(needs_a_person=any(one.needs_a_person for one in under_way))


def _whole(found: StagingView) -> str:
    rows = [
        (h.host, _state(h), _progress(h), _since(h), _why(h))
        for h in sorted(found.hosts, key=lambda h: h.host)
    ]
    headers = ("workstation", "state", "fetched", "for", "why")
    return f"{_head(found)}\n\n{table(headers, rows, 'No workstation.')}"


def _head(found: StagingView) -> str:
    head = f"{found.label}: {found.app} {found.version}, {_in_words(found.state)}"
    if found.opens is not None:
        head += f", goes on at {clock(found.opens)}"
    rate = f", {size(found.rate)}/s together" if found.rate else ""
    hours = f", daily {found.hours}" if found.hours else ""
    return f"{head} ({found.slots} at a time{rate}{hours})"


def _in_words(state: StagingState) -> str:
    return state.value.replace("-", " ")


def _state(host: StagedView) -> str:
    is_off = host.state is StagedState.WAITING and not host.linked
    return "waiting, off" if is_off else host.state.value


def _since(host: StagedView) -> str:
    return duration(time.time() - host.since)


def _why(host: StagedView) -> str:
    again = f"; again at {clock(host.next_try)}" if host.detail and host.next_try else ""
    return f"{host.detail}{again}"
