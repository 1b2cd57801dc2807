"""Releases at their vendors': found, and their notes shown."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from coordinator.api.asks import NoAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.finding_schemas import FoundView, NotesView, OfferView
from coordinator.api.office import Office
from coordinator.api.releases import signed_profile
from coordinator.complaint import Complaint
from coordinator.model import HostStanding
from coordinator.releases.feed import FeedRelease
from coordinator.releases.vendors import feed_of, is_newer, notes_of
from coordinator.store.rows import PackageRow
from coordinator.terms import in_words
from coordinator.vendor_text import headline, readable

_AT_ONCE = 8
_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}
_SETTING = '{app} = "https://..." or a folder, below [feeds] in coordinator.toml'


def find(office: Office, call: Call[NoAsk]) -> list[FoundView]:
    """Return what the vendors of one app or of all offer: what is newer, or everything."""
    app = call.options.get("app", "")
    apps = [app] if app else sorted(office.feeds)
    if not apps:
        raise Problem(
            Status.UNKNOWN,
            "cannot look for releases: no vendor's feed is known",
            f"write {_SETTING.format(app='APP')}, then start the coordinator anew",
        )
    for one in apps:
        place_of(office, one)
    everything = call.options.get("all") == "1"
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda one: look(office, one, everything=everything), apps))


def look(office: Office, app: str, *, everything: bool) -> FoundView:
    """Return what the vendor of an app offers; what cannot be read is said in the answer."""
    place = place_of(office, app)
    try:
        feed, _source = feed_of(app, place)
    except Complaint as error:
        return FoundView(
            app=app, source=place, releases=[], installed={}, problem=error.error, mend=error.mend
        )
    installed, unheard = _installed(office, app)
    rows = office.catalogue.packages(app)
    added = [row.version for row in rows]
    offers = [
        _offer(r, rows, newer=is_newer(r.version, list(installed), added)) for r in feed.releases
    ]
    shown = [offer for offer in offers if everything or offer.newer]
    return FoundView(app=app, source=place, releases=shown, installed=installed, unheard=unheard)


def _offer(release: FeedRelease, rows: list[PackageRow], *, newer: bool) -> OfferView:
    own = [row for row in rows if row.version == release.version]
    return OfferView(
        version=release.version,
        released=release.released,
        size=release.size,
        packages=[f"{package.role} on {package.system}" for package in release.packages],
        terms=in_words(replace(release.terms, released="")),
        headline=headline(release.notes),
        state=_state(own),
        newer=newer,
    )


def _state(own: list[PackageRow]) -> str:
    if any(row.withdrawn for row in own):
        return "withdrawn"
    return ("signed" if all(row.signed for row in own) else "added") if own else ""


def place_of(office: Office, app: str) -> str:
    """Return where the vendor of an app tells of its releases. Raises `Problem`."""
    if app not in office.feeds:
        raise Problem(
            Status.UNKNOWN,
            f"no vendor's feed is known for an app {app!r}",
            f"write {_SETTING.format(app='APP')}, then start the coordinator anew; "
            "or name the package: roundsman release add APP VERSION FILE",
        )
    return office.feeds[app]


def _installed(office: Office, app: str) -> tuple[dict[str, int], int]:
    """Return which versions workstations say that they have, and how many do not say."""
    try:
        profile = signed_profile(office, app)
    except Problem:
        return {}, 0
    hosts = [h.id for h in office.fleet.hosts() if h.standing in _IN_THE_FLEET]
    said = office.surveyor.survey(hosts, profile)
    versions = [said[host].facts.get("app_version", "") for host in hosts if host in said]
    known = sorted({version for version in versions if version})
    return {v: versions.count(v) for v in known}, len(hosts) - sum(1 for v in versions if v)


def notes(office: Office, call: Call[NoAsk]) -> NotesView:
    """Return the notes of a release: those it was added with, else its vendor's."""
    app, version = call.names["app"], call.names["version"]
    rows = office.catalogue.packages(app, version)
    said = next((row.notes for row in rows if row.notes), "")
    if not said and app in office.feeds:
        said = _vendors_notes(office, app, version)
    if not said:
        raise Problem(
            Status.UNKNOWN,
            f"no notes of {app} {version} are known",
            _where_notes_are(office, app, version, is_added=bool(rows)),
        )
    return NotesView(app=app, version=version, notes=readable(said))


def _where_notes_are(office: Office, app: str, version: str, *, is_added: bool) -> str:
    """Return what to do about a version without notes; one never heard of may be mistyped."""
    if app in office.feeds and not is_added:
        return f"see which versions there are: roundsman release find {app} --all"
    return f"roundsman release add {app} {version} --notes FILE"


def _vendors_notes(office: Office, app: str, version: str) -> str:
    try:
        feed, source = feed_of(app, office.feeds[app])
        release = feed.release(version)
        return notes_of(release, source) if release else ""
    except Complaint as error:
        raise Problem(Status.ELSEWHERE, error.error, error.mend) from None
