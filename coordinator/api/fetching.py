"""Releases that the coordinator fetches itself from their vendors, to be signed next."""

import secrets
from pathlib import Path
from urllib.parse import urljoin

from agent.wire.terms import NO_TERMS, Terms
from coordinator.api.asks import FetchAsk, NoAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.finding import place_of
from coordinator.api.finding_schemas import DownloadView
from coordinator.api.office import Office
from coordinator.api.releases import Brought, take_in, terms_of, without_profile
from coordinator.complaint import Complaint
from coordinator.planning.ulid import RANDOM_BYTES, make_ulid
from coordinator.releases.downloads import Download, Order
from coordinator.releases.feed import FeedPackage, FeedRelease
from coordinator.releases.fetch import Wanted
from coordinator.releases.packages import Label
from coordinator.releases.source import Source
from coordinator.releases.vendors import feed_of, notes_of, source_of
from coordinator.releases.web import judge_address
from coordinator.vendor_text import readable


def begin(office: Office, call: Call[FetchAsk]) -> DownloadView:
    """Begin to fetch a release; each of its packages is taken in once it is whole."""
    try:
        order = _by_address(office, call) if call.ask.url else _by_feed(office, call)
        new_id = make_ulid(office.clock(), secrets.token_bytes(RANDOM_BYTES))
        return _view(office, office.downloads.begin(order, new_id))
    except Complaint as error:
        raise Problem(Status.ELSEWHERE, error.error, error.mend) from None


def download(office: Office, call: Call[NoAsk]) -> DownloadView:
    """Return how far a download has come."""
    found = office.downloads.find(call.names["download"])
    if found is None:
        raise Problem(
            Status.UNKNOWN,
            "no such download: the coordinator was started anew since, or it ended long ago",
            "roundsman release list; asked for again, a download goes on where it was cut",
        )
    return _view(office, found)


def _by_feed(office: Office, call: Call[FetchAsk]) -> Order:
    ask = call.ask
    feed, source = feed_of(ask.app, place_of(office, ask.app))
    release = feed.release(ask.version)
    if release is None:
        raise Problem(
            Status.UNKNOWN,
            f"{source.where} offers no {ask.app} {ask.version}",
            f"roundsman release find {ask.app} --all",
        )
    chosen = [p for p in release.packages if _is_meant(p, ask)]
    if not chosen:
        offered = ", ".join(f"{p.role} on {p.system}" for p in release.packages)
        raise Problem(
            Status.UNKNOWN,
            f"{ask.app} {ask.version} is offered for {offered}, and for nothing else",
            f"roundsman release add {ask.app} {ask.version}, without --role and --system",
        )
    brought = _brought(call, _notes_if_any(release, source), release.terms)
    return _order(office, call, source, [_wanted(package) for package in chosen], brought)


def _by_address(office: Office, call: Call[FetchAsk]) -> Order:
    """Return what is fetched from an address, judged by what the app's feed says of it."""
    ask = call.ask
    judge_address(ask.url)
    release, package = _in_feed(office, ask)
    role, system = ask.role or "workstation", ask.system or "linux"
    wanted = Wanted(role, system, ask.url, sha256=ask.sha256)
    brought = _brought(call, "", NO_TERMS)
    if release is not None and package is not None:
        wanted = _wanted(package)
        brought = _brought(call, release.notes, release.terms)
        _refuse_other_hash(ask, package)
    return _order(office, call, source_of(ask.url), [wanted], brought)


def _in_feed(office: Office, ask: FetchAsk) -> tuple[FeedRelease | None, FeedPackage | None]:
    """Return the release and package that an address is in the app's feed, where it is there."""
    if ask.app not in office.feeds:
        return None, None
    try:
        feed, source = feed_of(ask.app, office.feeds[ask.app])
    except Complaint:
        return None, None  # whoever names an address may do so because the feed is broken
    release = feed.release(ask.version)
    packages = release.packages if release else ()
    own = (p for p in packages if urljoin(source.where, p.url) == ask.url)
    return release, next(own, None)


def _refuse_other_hash(ask: FetchAsk, package: FeedPackage) -> None:
    if ask.sha256 not in {"", package.sha256}:
        raise Problem(
            Status.CONFLICT,
            f"cannot fetch {ask.url}: the feed of {ask.app} says that its SHA-256 is "
            f"{package.sha256}",
            "ask the vendor which of the two is right",
        )


def _is_meant(package: FeedPackage, ask: FetchAsk) -> bool:
    return ask.role in {"", package.role} and ask.system in {"", package.system}


def _wanted(package: FeedPackage) -> Wanted:
    return Wanted(package.role, package.system, package.url, package.size, package.sha256)


def _notes_if_any(release: FeedRelease, source: Source) -> str:
    try:
        return notes_of(release, source)
    except Complaint:
        return ""  # they are asked for again when somebody wants to read them


def _brought(call: Call[FetchAsk], notes: str, terms: Terms) -> Brought:
    """Return what comes along; what the operator says counts before what the vendor says."""
    given = terms_of(call.ask.terms) if call.ask.terms else terms
    return Brought(call.who.name, readable(call.ask.notes) or notes, given)


def _order(
    office: Office, call: Call[FetchAsk], source: Source, wanted: list[Wanted], brought: Brought
) -> Order:
    ask = call.ask

    def taken_in(one: Wanted, file: Path) -> str:
        label = Label(ask.app, ask.version, one.role, one.system)
        try:
            return take_in(office, label, file, brought).target
        except Problem as problem:
            raise Complaint(problem.error, problem.mend) from None

    folder = office.uploads.parent / "downloads"
    return Order(ask.app, ask.version, tuple(wanted), source, folder, taken_in)


def _view(office: Office, found: Download) -> DownloadView:
    return DownloadView(
        id=found.id,
        app=found.app,
        version=found.version,
        began=found.began,
        now=office.clock(),
        state=found.state,
        place=found.place,
        bytes_done=found.bytes_done,
        bytes_total=found.bytes_total,
        targets=found.targets,
        unverified=found.unverified,
        ended=found.ended,
        warning=without_profile(office, found.app),
        problem=found.problem,
        mend=found.mend,
    )
