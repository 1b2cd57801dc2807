"""What the coordinator keeps of releases, and what it deletes, once a day or when asked."""

from collections.abc import Collection, Iterator, Sequence

from agent.wire.contract import Severity, Target
from agent.wire.manifest import read_manifest
from coordinator.api.asks import TidyAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.office import Office
from coordinator.api.schemas import FindingView
from coordinator.api.tidy_schemas import GoneView, SupersededView, TidyView
from coordinator.planning import keeping
from coordinator.planning.keeping import Known, Release, Use
from coordinator.releases.clearing import Item, Kind, Needs, Stores, clear, found
from coordinator.store.rows import PackageRow, RolloutRow
from coordinator.walk.states import RolloutState

_PACKAGES = "packages/"
_LEAST_FREE = 2 * 10**9  # bytes
_TIMES_A_RELEASE = 4  # what is sent, kept, unpacked and kept file by file while it is added


def tidy(office: Office, call: Call[TidyAsk]) -> TidyView:
    """Delete what nobody needs any more, or say what that would be."""
    try:
        return sweep(office, dry_run=call.ask.dry_run)
    except (OSError, ValueError) as error:
        raise Problem(
            Status.CONFLICT,
            f"cannot tidy up: {error}. What is needed cannot be told, so nothing more is deleted",
            "put that file back from your backup",
        ) from None


def sweep(office: Office, *, dry_run: bool) -> TidyView:
    """Delete what nobody needs any more. Raises `OSError`, or `ValueError` for what is damaged."""
    stores = Stores(office.repository, office.packages)
    act = found if dry_run else clear
    rows = office.catalogue.packages()
    return _view(office, rows, act(stores, lambda: _needs(office)), dry_run=dry_run)


def _view(
    office: Office, rows: Sequence[PackageRow], items: Sequence[Item], *, dry_run: bool
) -> TidyView:
    paths = {item.path for item in items}
    gone = {_release(row) for row in rows if office.repository.path_of(_target(row)) in paths}
    kinds = [kind for kind in Kind if any(item.kind is kind for item in items)]
    return TidyView(
        dry_run=dry_run,
        days=office.keep.days,
        kept_releases=office.keep.releases,
        gone=[_kind(kind, [i for i in items if i.kind is kind]) for kind in kinds],
        releases=[f"{one.app} {one.version}" for one in sorted(gone)],
        superseded=_superseded(office, rows),
        free=office.free_bytes(office.repository.folder),
    )


def _kind(kind: Kind, items: Sequence[Item]) -> GoneView:
    return GoneView(kind=kind.value, files=len(items), bytes=sum(item.size for item in items))


def _superseded(office: Office, rows: Sequence[PackageRow]) -> list[SupersededView]:
    use, now = _use(office, rows), office.clock()
    found = keeping.superseded(_known(rows), use, office.keep, now)
    sizes = {one: sum(row.size for row in rows if _release(row) == one) for one in found}
    return [SupersededView(app=r.app, version=r.version, bytes=size) for r, size in sizes.items()]


# -- what is needed ------------------------------------------------------------------------


def _needs(office: Office) -> Needs:
    rows, now = office.catalogue.packages(), office.clock()
    stay = keeping.staying(_known(rows), _use(office, rows), office.keep, now)
    listed = _listed(office)
    targets = listed | {_target(row) for row in rows if _release(row) in stay}
    for rollout in _not_over(office):
        targets |= {rollout.plan.profile, *(p.package for p in rollout.plan.hosts if p.package)}
    packages = [t for t in targets if t.name.startswith(_PACKAGES)]
    contents = {_content(office, t) for t in packages if t in listed or _is_here(office, t)}
    return Needs(frozenset(targets), frozenset(contents), keeping.before(office.keep, now))


def _listed(office: Office) -> frozenset[Target]:
    """Return what agents accept, with what they refuse only once that is signed; and drafts."""
    return frozenset([*office.repository.published(), *office.repository.drafted()])


def _is_here(office: Office, target: Target) -> bool:
    return office.repository.path_of(target).exists()


def _content(office: Office, target: Target) -> str:
    return read_manifest(office.repository.content(target)).content_sha256


def _use(office: Office, rows: Sequence[PackageRow]) -> Use:
    listed = _listed(office)
    return Use(
        offered=frozenset(_release(row) for row in rows if _target(row) in listed),
        staged=frozenset(Release(s.app, s.version) for s in office.stagings.under_way()),
        walked=frozenset(one for row in _not_over(office) for one in _needed_by(row)),
    )


def _needed_by(row: RolloutRow) -> Iterator[Release]:
    """Yield what a rollout puts in place, and what its hosts had before."""
    versions = {row.plan.version, *(p.from_version for p in row.plan.hosts)}
    return (Release(row.plan.app, version) for version in sorted(versions))


def _not_over(office: Office) -> list[RolloutRow]:
    """Return the rollouts under way, and those left closed that may still be gone on with."""
    since, sealed = keeping.before(office.keep, office.clock()), set(office.sealed())
    return [row for row in office.rollouts.all() if _is_needed(row, since, sealed)]


def _is_needed(row: RolloutRow, since: float, sealed: Collection[str]) -> bool:
    if row.ended is None:
        return True
    is_closed = any(planned.id in sealed for planned in row.plan.hosts)
    return row.state is RolloutState.LEFT_CLOSED and (is_closed or row.ended >= since)


def _known(rows: Sequence[PackageRow]) -> list[Known]:
    by_release: dict[Release, list[PackageRow]] = {}
    for row in rows:
        by_release.setdefault(_release(row), []).append(row)
    return [
        Known(release, max(r.at for r in own), max(r.last_used for r in own))
        for release, own in by_release.items()
    ]


def _release(row: PackageRow) -> Release:
    return Release(row.app, row.version)


def _target(row: PackageRow) -> Target:
    return Target(row.target, row.sha256)


# -- the disk ------------------------------------------------------------------------------


def low_disk(office: Office) -> list[FindingView]:
    """Return what the doctor says when the next release may find no room here."""
    free = office.free_bytes(office.repository.folder)
    largest = max((row.size for row in office.catalogue.packages()), default=0)
    needed = max(_LEAST_FREE, _TIMES_A_RELEASE * largest)
    if free >= needed:
        return []
    return [
        FindingView(
            host="the coordinator",
            code="disk-low",
            severity=Severity.WARNING,
            message=f"the disk with {office.repository.folder} has {free / 1e9:.1f} GB free; "
            f"adding a release may take {needed / 1e9:.1f} GB",
            fix="roundsman tidy --dry-run shows what may go, and which releases on offer nobody "
            "needs any more",
        )
    ]
