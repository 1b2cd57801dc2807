"""The disk is tidied: what is needed stays whole, whatever else goes, wherever it is cut."""

import random
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.wire.contract import CordonMode, Target
from agent.wire.manifest import Manifest, read_manifest
from coordinator.api.asks import DoctorAsk, PlanAsk, StageAsk, TidyAsk, WithdrawAsk
from coordinator.api.call import Call
from coordinator.api.doctor import doctor
from coordinator.api.roles import OperatorRole
from coordinator.api.tidying import _needs, low_disk, sweep
from coordinator.complaint import Complaint
from coordinator.model import Keep, StagingState
from coordinator.releases.clearing import Needs, clear, found
from coordinator.store.rows import OperatorRow
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState
from tests.api.real import APP, RealOffice, copy_home
from tests.api.stores import DAY, Filled, files_of, filled, long_used, some_files

DRY = TidyAsk(dry_run=True)
KEEP_ONE = Keep(days=90, releases=1)


@pytest.fixture
def office(template: Path, tmp_path: Path) -> Iterator[RealOffice]:
    """An office that keeps one release of each app, however old."""
    real = copy_home(template, tmp_path)
    real.keep = KEEP_ONE
    with real.open() as opened:
        yield opened


@pytest.fixture
def made(office: RealOffice, tmp_path: Path) -> Filled:
    """An office with three releases, the first of which was withdrawn long ago."""
    return long_used(office, tmp_path)


def _versions(made: Filled) -> set[str]:
    """Return the releases whose manifest is there; their zip has to be there too then."""
    rows = made.office.catalogue.packages()
    repository, packages = made.office.repository, made.office.packages
    kept = [row for row in rows if repository.path_of(Target(row.target, row.sha256)).exists()]
    for row in kept:
        manifest = read_manifest(repository.content(Target(row.target, row.sha256)))
        assert packages.path(manifest.content_sha256) is not None
    return {row.version for row in kept}


def test_what_is_withdrawn_and_old_goes_with_all_that_only_it_had(made: Filled) -> None:
    before = made.files()
    with made.client() as client:
        done = client.tidy(TidyAsk())
    assert done.releases == [f"{APP} 1.0"]
    assert _versions(made) == {"1.1", "1.2"}
    assert made.broken() == []
    gone = before.keys() - made.files().keys()
    assert Counter(path.split("/")[1] for path in gone)["blobs"] == 2  # its own, not the shared
    assert sum(len(before[path]) for path in gone) == done.bytes
    assert {one.kind for one in done.gone} >= {"packages", "files of packages"}


def test_a_patch_stays_whose_base_is_here_no_more_since_hosts_may_have_it(made: Filled) -> None:
    patches = made.office.packages.blobs.folder("patches")
    before = sorted(p.name for p in patches.iterdir())
    assert len(before) >= 3
    sweep(made.office, dry_run=False)
    assert sorted(p.name for p in patches.iterdir()) == before
    assert made.broken() == []


def test_a_dry_run_tells_what_the_act_does_and_touches_nothing(made: Filled) -> None:
    before = made.files()
    with made.client() as client:
        told = client.tidy(DRY)
        assert made.files() == before
        done = client.tidy(TidyAsk())
        again = client.tidy(TidyAsk())
    assert told.model_copy(update={"dry_run": False, "free": 0}) == done.model_copy(
        update={"free": 0}
    )
    assert (again.gone, again.releases) == ([], [])


@pytest.mark.parametrize("days", [0, 89])
def test_what_was_withdrawn_lately_stays(office: RealOffice, tmp_path: Path, days: int) -> None:
    made = filled(office, tmp_path)
    for version in ("1.0", "1.1"):
        made.add(version)
    office.sign()
    made.grown_old()
    made.withdraw("1.0")
    office.clock.ahead += days * DAY
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.0", "1.1"}
    office.clock.ahead += 91 * DAY
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.1"}


def test_the_last_ones_of_an_app_stay_however_old(made: Filled) -> None:
    made.withdraw("1.1", "1.2")
    made.grown_old()
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.2"}
    sweep(replace(made.office, keep=Keep(days=1, releases=3)), dry_run=False)
    assert _versions(made) == {"1.2"}


def test_what_agents_accept_until_the_list_is_signed_stays(made: Filled) -> None:
    made.withdraw("1.1", sign=False)
    made.grown_old()
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.1", "1.2"}
    assert made.broken() == []
    made.real.sign()
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.2"}


def test_what_waits_for_a_signature_stays(made: Filled) -> None:
    made.add("1.3")
    made.grown_old()
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.1", "1.2", "1.3"}
    made.real.sign()
    assert made.broken() == []


def _rollout(made: Filled, version: str) -> str:
    with made.client() as client:
        plan = client.make_plan(PlanAsk(app=APP, version=version, within_seconds=7200))
    return made.real.start(plan.label)


def test_what_a_rollout_puts_in_place_and_what_its_hosts_had_stay_until_it_is_over(
    office: RealOffice, tmp_path: Path
) -> None:
    made = filled(office, tmp_path)
    for version in ("1.0", "1.1", "1.2"):
        made.add(version)  # the hosts say that they have 1.0
    office.sign()
    rollout = _rollout(made, "1.1")
    made.withdraw("1.0", "1.1")
    made.grown_old()
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.0", "1.1", "1.2"}
    office.tell(rollout, News(RolloutState.DONE))
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.2"}


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_a_rollout_left_closed_may_need_stays_while_its_hosts_are_closed(
    office: RealOffice, tmp_path: Path, *, is_sealed: bool
) -> None:
    made = filled(office, tmp_path)
    for version in ("1.0", "1.1", "1.2"):
        made.add(version)
    office.sign()
    rollout = _rollout(made, "1.1")
    office.tell(rollout, News(RolloutState.LEFT_CLOSED))
    made.withdraw("1.0", "1.1")
    if is_sealed:
        office.keeper.confirm(["pc-01-abcdef"], rollout, CordonMode.SEALED)
    office.clock.ahead += 80 * DAY
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.0", "1.1", "1.2"}
    office.clock.ahead += 20 * DAY
    sweep(made.office, dry_run=False)
    assert _versions(made) == ({"1.0", "1.1", "1.2"} if is_sealed else {"1.2"})


def test_what_is_on_its_way_to_hosts_stays_until_that_is_over(
    office: RealOffice, tmp_path: Path
) -> None:
    made = filled(office, tmp_path)
    for version in ("1.1", "1.2"):
        made.add(version)
    office.sign()
    with made.client() as client:
        staging = client.stage(StageAsk(app=APP, version="1.1"))
    made.office.repository.withdraw(made.office.repository.published())  # behind its back
    made.office.catalogue.mark_withdrawn(APP, "1.1", None)
    office.sign()
    made.grown_old()
    sweep(made.office, dry_run=False)
    assert "1.1" in _versions(made)
    made.office.stagings.end(staging.id, StagingState.STOPPED, 1.0)
    sweep(made.office, dry_run=False)
    assert _versions(made) == {"1.2"}


def test_one_zip_for_two_kinds_of_hosts_stays_while_one_of_them_needs_it(
    office: RealOffice, tmp_path: Path
) -> None:
    made = filled(office, tmp_path)
    made.add("1.0")
    made.add("1.1", files_of("1.0"))  # the very same content
    made.add("1.2")
    office.sign()
    made.withdraw("1.0")
    made.grown_old()
    assert sweep(made.office, dry_run=False).releases == [f"{APP} 1.0"]
    assert made.broken() == []


def test_added_again_it_is_as_good_as_new(made: Filled) -> None:
    sweep(made.office, dry_run=False)
    made.add("1.0")
    made.real.sign()
    assert sweep(made.office, dry_run=False).releases == []
    assert made.broken() == []


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_needed_stays_whole_and_whatever_is_not_goes(
    office: RealOffice, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    office.keep = Keep(days=90, releases=dice.randint(1, 3))  # of what `made` does
    made = filled(office, tmp_path)
    versions = [f"1.{n}" for n in range(dice.randint(3, 8))]
    for version in versions:
        made.add(version, some_files(dice))
    office.sign()
    rollouts = [_rollout(made, dice.choice(versions))] if dice.random() < 0.5 else []
    bad = dice.sample(versions, dice.randint(1, len(versions)))
    made.withdraw(*bad, sign=dice.random() < 0.8)
    if dice.random() < 0.7:
        made.grown_old()
    if rollouts and dice.random() < 0.5:
        office.tell(rollouts[0], News(RolloutState.DONE))
    before = made.files()
    told = sweep(made.office, dry_run=True)
    done = sweep(made.office, dry_run=False)
    assert (told.gone, told.releases) == (done.gone, done.releases)
    assert made.broken() == []
    assert _versions(made) >= set(versions[-office.keep.releases :])
    assert all(name.partition(" ")[2] in bad for name in done.releases)
    gone = before.keys() - made.files().keys()
    assert sum(one.files for one in done.gone) == len(gone)
    used = {e.sha256 for m in _left(made) for e in m.files}
    blobs = made.office.packages.blobs.folder("blobs")
    assert {p.name for p in blobs.iterdir()} == used


def _left(made: Filled) -> list[Manifest]:
    blobs = made.office.packages.blobs
    return [blobs.manifest(p.name) for p in blobs.folder("lists").iterdir()]


class Killed(BaseException):
    """The power is cut."""


def test_killed_anywhere_nothing_is_promised_that_is_not_there_and_the_next_time_ends_it(
    made: Filled, tmp_path: Path
) -> None:
    made.withdraw("1.1")
    made.grown_old()
    home = made.real.settings.home.parent
    items = found(made.stores, lambda: _needs(made.office))
    assert len(items) > 12
    shutil.copytree(home, tmp_path / "whole")
    clear(made.stores, lambda: _needs(made.office))
    ended = made.files()
    for cut_at in range(len(items)):
        again = _cut(tmp_path, made, cut_at)
        assert again.broken() == []
        assert again.real.repository.published() == made.real.repository.published()
        clear(again.stores, lambda: _needs(again.office))  # noqa: B023 - called at once
        assert again.files() == ended
        again.real.database.dispose()


def _cut(folder: Path, made: Filled, cut_at: int) -> Filled:
    """Return the office as it is when it is killed before the nth deletion."""
    shutil.rmtree(folder / "cut", ignore_errors=True)
    real = copy_home(folder / "whole", folder / "cut")
    real.clock, real.keep = made.real.clock, made.real.keep
    again = Filled(real, folder)
    left = cut_at

    def delete(path: Path) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        path.unlink()

    with pytest.raises(Killed):
        clear(again.stores, lambda: _needs(again.office), delete)
    return Filled(real, folder)


def test_what_a_cut_left_behind_goes_and_what_is_being_written_does_not(made: Filled) -> None:
    sweep(made.office, dry_run=False)
    store = made.office.packages
    orphans = [store.blobs.folder(k) / ("a" * 64) for k in ("blobs", "parts", "unpatched")]
    orphans.append(store.blobs.folder("patches") / f"{'a' * 64}.{'b' * 64}")
    writing = store.blobs.folder("blobs") / ".0123456789abcdef"
    for path in (*orphans, writing):
        path.write_bytes(b"half")
    sweep(made.office, dry_run=False)
    assert not any(path.exists() for path in orphans)
    assert writing.exists()


def test_a_release_that_is_added_meanwhile_waits_and_is_whole_afterwards(made: Filled) -> None:
    """The content that goes is the content that comes: what is found is not gone afterwards."""
    adding = threading.Thread(target=made.add, args=("1.5", files_of("1.0")))

    def needs() -> Needs:
        adding.start()
        adding.join(0.3)
        assert adding.is_alive()  # it waits
        return _needs(made.office)

    assert clear(made.stores, needs)
    adding.join(30)
    made.real.sign()
    assert "1.5" in {m.version for m in made.manifests()}
    assert made.broken() == []


@pytest.mark.parametrize("damaged", ["list", "manifest", "absent"])
def test_where_it_cannot_be_told_what_is_needed_nothing_goes(made: Filled, damaged: str) -> None:
    (one, *_) = made.manifests()
    path = made.office.packages.blobs.folder("lists") / one.content_sha256
    if damaged != "list":
        target = next(t for t in made.real.repository.published() if "1.1" in t.name)
        path = made.office.repository.path_of(target)
    path.unlink() if damaged == "absent" else path.write_bytes(b"{")
    before = made.files()
    with made.client() as client:
        for ask in (DRY, TidyAsk()):
            with pytest.raises(Complaint, match=r"cannot tidy up: .*nothing more is deleted"):
                client.tidy(ask)
    assert made.files() == before


def test_lists_that_others_have_followed_long_ago_go_and_every_root_stays(made: Filled) -> None:
    folder = made.office.repository.folder / "metadata"
    repository = made.office.repository
    for _ in range(4):
        made.real.sign()
    sweep(made.office, dry_run=False)
    names = {path.name for path in folder.iterdir()}
    versions = repository.versions()
    # the clock is far ahead of the files: all but the present ones are old
    present = {f"{versions[role]}.{role}.json" for role in ("snapshot", "targets")}
    assert names == {"1.root.json", "timestamp.json", *present}
    repository.refresh()
    assert repository.published()


def test_a_list_that_was_followed_a_moment_ago_stays_for_who_is_about_to_read_it(
    office: RealOffice, tmp_path: Path
) -> None:
    made = filled(office, tmp_path)
    made.add("1.0")
    office.sign()
    before = made.files()
    assert sweep(made.office, dry_run=False).gone == []
    assert made.files() == before


def test_what_is_long_superseded_and_on_offer_is_told_with_what_rids_of_it(
    made: Filled,
) -> None:
    with made.client() as client:
        (told,) = client.tidy(DRY).superseded
    assert (told.app, told.version) == (APP, "1.1")
    assert told.bytes > 1000


def test_who_is_no_admin_cannot_tidy(made: Filled) -> None:
    with (
        made.real.client(OperatorRole.OPERATOR) as client,
        pytest.raises(Complaint, match="admin"),
    ):
        client.tidy(TidyAsk())


def test_put_back_after_it_went_is_refused_in_words(made: Filled) -> None:
    sweep(made.office, dry_run=False)
    with made.client() as client, pytest.raises(Complaint, match="is here no more"):
        client.withdraw(APP, "1.0", WithdrawAsk(undo=True))


@pytest.mark.parametrize(("free", "is_low"), [(1_900_000_000, True), (2_100_000_000, False)])
def test_the_doctor_says_when_the_next_release_may_find_no_room(
    made: Filled, free: int, *, is_low: bool
) -> None:
    office = replace(made.office, free_bytes=lambda _folder: free)
    asked = Call(OperatorRow("ann", "admin"), {}, {}, DoctorAsk())
    own = [check for check in doctor(office, asked) if check.host == "the coordinator"]
    told = [found for check in own for found in check.findings if found.code == "disk-low"]
    assert bool(told) is is_low
    for one in told:
        assert one.message.endswith("has 1.9 GB free; adding a release may take 2.0 GB")


def test_a_large_release_needs_more_room(made: Filled) -> None:
    row = replace(made.office.catalogue.packages()[0], size=3 * 10**9)
    made.office.catalogue.put_package(row)
    office = replace(made.office, free_bytes=lambda _folder: 11 * 10**9)
    (told,) = low_disk(office)
    assert "may take 12.0 GB" in told.message
