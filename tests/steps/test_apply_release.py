import os
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.stage import stage
from agent.steps.table import Failed, Refused
from agent.wire.contract import Refusal, StepName
from tests.steps.bench import ROLLOUT, Bench, FastLinux, release, snapshot
from tests.steps.power import effects_of, was_cut

_STEP = StepName.APPLY_RELEASE


def _name(spot: Spot) -> str:
    return Path(str(spot)).name


class _NoSecondRename(FastLinux):
    def rename(self, source: Spot, target: Spot) -> None:
        if _name(source) == "incoming":
            raise PermissionError(1, "held by a virus scanner", str(source))
        super().rename(source, target)


class _NotOnTheDisk(FastLinux):
    """A disk that renames `name` and then cannot say that it has."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._wanted = name

    def rename(self, source: Spot, target: Spot) -> None:
        super().rename(source, target)
        if _name(source) == self._wanted:
            self._wanted = ""
            raise OSError(5, "Input/output error", str(source))


class _NoWayBack(FastLinux):
    def rename(self, source: Spot, target: Spot) -> None:
        if _name(source).startswith("app_old"):
            raise OSError(30, "Read-only file system", str(source))
        super().rename(source, target)


class _ClosesItsEye(FastLinux):
    """A disk on which the app's folder cannot be looked at, once, after it was renamed."""

    closed = False

    def rename(self, source: Spot, target: Spot) -> None:
        super().rename(source, target)
        self.closed = _name(source) == "app"

    def names(self, spot: Spot) -> list[str]:
        if self.closed and _name(spot) == "app":
            self.closed = False
            raise OSError(5, "Input/output error", str(spot))
        return super().names(spot)


def _staged(bench: Bench) -> Bench:
    stage(bench.work(StepName.STAGE))
    return bench


def _applied(bench: Bench) -> Bench:
    apply_release(_staged(bench).work(_STEP))
    return bench


def test_the_new_release_is_in_place_and_the_old_one_kept_aside(bench: Bench) -> None:
    before = snapshot(bench.app)
    work = _staged(bench).work(_STEP)

    apply_release(work)

    assert work.facts["app_version"] == "1.1"
    assert (bench.app / "lib/code.bin").read_bytes() == bench.release["lib/code.bin"]
    assert snapshot(bench.folders.outgoing) == before


def test_what_the_profile_keeps_arrives_untouched(bench: Bench) -> None:
    before = snapshot(bench.app)

    _applied(bench)

    after = snapshot(bench.app)
    for path in ("prefs", "prefs/user.ini", "prefs/default.ini", "certs/server.pem"):
        assert after[path] == before[path]
    assert "data/old.db" not in after


def test_extended_attributes_are_kept_too(bench: Bench) -> None:
    try:
        os.setxattr(bench.app / "prefs/user.ini", "user.colour", b"blue")
    except OSError:
        pytest.skip("this file system has no extended attributes")

    _applied(bench)

    assert os.getxattr(bench.app / "prefs/user.ini", "user.colour") == b"blue"


def test_what_the_package_ships_under_a_kept_name_is_set_aside_as_new(bench: Bench) -> None:
    _applied(bench)

    assert (bench.app / "prefs/default.ini").read_bytes() == b"changed by me"
    assert (bench.app / "prefs/default.ini.new").read_bytes() == b"shipped with 1.1"


def test_a_kept_file_that_is_the_shipped_one_needs_no_new(bench: Bench) -> None:
    (bench.app / "prefs/default.ini").write_bytes(b"shipped with 1.1")

    _applied(bench)

    assert not (bench.app / "prefs/default.ini.new").exists()


def test_the_new_of_an_earlier_update_gives_way_to_this_one(bench: Bench) -> None:
    (bench.app / "prefs/default.ini.new").write_bytes(b"shipped long ago")

    _applied(bench)

    assert (bench.app / "prefs/default.ini.new").read_bytes() == b"shipped with 1.1"


def test_a_package_may_ship_a_file_that_ends_in_new(bench: Bench) -> None:
    bench.ship(bench.release | {"prefs/default.ini.new": b"shipped so"})

    _applied(bench)

    assert (bench.app / "prefs/default.ini.new").read_bytes() == b"shipped so"
    assert (bench.app / "prefs/default.ini.new.new").read_bytes() == b"shipped with 1.1"


def test_links_and_empty_folders_are_kept_as_they_are(bench: Bench) -> None:
    (bench.app / "prefs/empty").mkdir()
    (bench.app / "prefs/link").symlink_to("/etc/passwd")
    (bench.app / "prefs/folder-link").symlink_to("empty")

    _applied(bench)

    assert (bench.app / "prefs/link").readlink() == Path("/etc/passwd")
    assert (bench.app / "prefs/folder-link").is_symlink()
    assert (bench.app / "prefs/empty").is_dir()


def test_the_rights_of_the_old_folders_are_given_to_the_new_ones(bench: Bench) -> None:
    bench.app.chmod(0o777)
    (bench.app / "lib").chmod(0o775)
    bench.ship(bench.release | {"lib/deep/er/file": b"new here"})

    _applied(bench)

    assert bench.app.stat().st_mode & 0o777 == 0o777
    assert (bench.app / "lib/deep/er").stat().st_mode & 0o777 == 0o775
    assert (bench.app / "bin/app").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_of_the_old_files_owns_the_new_ones(bench: Bench) -> None:
    for path in (bench.app, *bench.app.rglob("*")):
        os.chown(path, 12_345, 12_346)
    bench.ship(bench.release | {"lib/new-file": b"x"})

    _applied(bench)

    owners = {(p.stat().st_uid, p.stat().st_gid) for p in (bench.app, *bench.app.rglob("*"))}
    assert owners == {(12_345, 12_346)}


def test_doing_it_twice_changes_nothing(bench: Bench) -> None:
    after_one = snapshot(_applied(bench).app)

    apply_release(bench.work(_STEP))

    assert snapshot(bench.app) == after_one


def test_undo_brings_the_old_release_back_byte_for_byte(bench: Bench) -> None:
    before = snapshot(bench.app)
    _applied(bench)

    put_old_back(bench.work(_STEP))
    put_old_back(bench.work(_STEP))

    assert snapshot(bench.app) == before
    assert not bench.folders.outgoing.exists()
    assert bench.folders.discarded.is_dir()


def test_after_an_undo_it_can_be_done_and_undone_again(bench: Bench) -> None:
    before = snapshot(bench.app)
    for _ in range(2):
        apply_release(_staged(bench).work(_STEP))
        put_old_back(bench.work(_STEP))

    apply_release(bench.work(_STEP))  # not staged again: unpacked from what was fetched

    assert (bench.app / "version.txt").read_text().startswith("app=1.1")
    assert snapshot(bench.folders.outgoing) == before


def test_undo_of_what_was_never_done_leaves_the_app_alone(bench: Bench) -> None:
    before = snapshot(bench.app)

    put_old_back(bench.work(_STEP))

    assert snapshot(bench.app) == before


def test_tidy_deletes_the_old_release_and_nothing_else(bench: Bench) -> None:
    after = snapshot(_applied(bench).app)
    vendors_old = bench.app.parent / "app_old"
    vendors_old.mkdir()

    delete_old(bench.work(_STEP))
    delete_old(bench.work(_STEP))

    assert snapshot(bench.app) == after
    assert not bench.folders.outgoing.exists()
    assert vendors_old.is_dir()


def test_tidy_does_not_delete_the_only_release_there_is(bench: Bench) -> None:
    before = snapshot(bench.app)
    bench.app.rename(bench.folders.outgoing)

    delete_old(bench.work(_STEP))

    assert snapshot(bench.app) == before


def test_tidy_without_any_app_says_so(bench: Bench) -> None:
    bench.app.rename(bench.root / "away")

    with pytest.raises(Failed, match="there is no app"):
        delete_old(bench.work(_STEP))


def test_recover_brings_the_old_release_back_between_the_two_renames(bench: Bench) -> None:
    before = snapshot(_staged(bench).app)
    bench.app.rename(bench.folders.outgoing)

    recover(bench.work(_STEP))

    assert snapshot(bench.app) == before


def test_undo_needs_no_recovery_first(bench: Bench) -> None:
    before = snapshot(_staged(bench).app)
    bench.app.rename(bench.folders.outgoing)

    put_old_back(bench.work(_STEP))

    assert snapshot(bench.app) == before


def test_it_refuses_while_the_app_is_open(bench: Bench) -> None:
    before = snapshot(_staged(bench).app)
    bench.open_app()

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.APP_STILL_OPEN
    assert snapshot(bench.app) == before


def test_it_refuses_while_the_service_manager_runs(bench: Bench) -> None:
    (bench.app / "bin/manager").write_bytes((bench.app / "bin/app").read_bytes())
    _staged(bench)
    bench.open_app("bin/manager")

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.SERVICE_MANAGER_STILL_RUNNING


@pytest.mark.parametrize("change", ["altered", "added", "deleted", "linked"])
def test_a_staged_release_that_was_changed_since_is_refused(bench: Bench, change: str) -> None:
    before = snapshot(_staged(bench).app)
    code = bench.folders.incoming / "lib/code.bin"
    if change == "altered":
        code.write_bytes(bytes(len(code.read_bytes())))
    elif change == "added":
        (code.parent / "extra.dll").write_bytes(b"planted")
    else:
        code.unlink()
    if change == "linked":
        code.symlink_to(bench.app / "lib/code.bin")

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.NOT_STAGED
    assert snapshot(bench.app) == before
    apply_release(bench.work(_STEP))  # the next attempt unpacks it afresh


def test_without_a_package_to_unpack_it_refuses(bench: Bench) -> None:
    bench.packages.content.unlink()

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.PACKAGE_ABSENT


def test_a_release_that_names_another_version_is_found_out(bench: Bench) -> None:
    bench.ship(release("0.9"), version="1.1")

    with pytest.raises(Failed, match=r"says 0\.9, not 1\.1"):
        apply_release(_staged(bench).work(_STEP))


@pytest.mark.parametrize(
    ("path", "content"), [("prefs", b"a file"), ("prefs/user.ini/deep", b"below a file")]
)
def test_a_kept_file_that_is_a_folder_in_the_package_is_refused(
    bench: Bench, path: str, content: bytes
) -> None:
    files = {p: c for p, c in bench.release.items() if not p.startswith("prefs")}
    bench.ship(files | {path: content})
    before = snapshot(bench.app)

    with pytest.raises(Refused) as refused:
        apply_release(_staged(bench).work(_STEP))

    assert refused.value.refusal is Refusal.PACKAGE_MISMATCH
    assert snapshot(bench.app) == before


def test_an_absent_app_is_refused(bench: Bench) -> None:
    _staged(bench)
    bench.app.rename(bench.root / "away")

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.APP_ABSENT


def test_a_swap_that_cannot_end_puts_the_old_release_back(bench: Bench) -> None:
    before = snapshot(_staged(bench).app)
    bench.platform = _NoSecondRename()

    with pytest.raises(Failed, match="the old one is back"):
        apply_release(bench.work(_STEP))

    assert snapshot(bench.app) == before


def test_a_rename_that_is_not_allowed_changes_nothing(bench: Bench) -> None:
    before = snapshot(_staged(bench).app)
    (bench.folders.outgoing).write_text("in the way")

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.FOLDER_RIGHTS
    assert snapshot(bench.app) == before


def test_a_refusal_leaves_the_old_release_though_its_rename_was_done_and_not_confirmed(
    bench: Bench,
) -> None:
    before = snapshot(_staged(bench).app)
    bench.platform = _NotOnTheDisk("app")

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.FOLDER_RIGHTS
    assert snapshot(bench.app) == before
    assert not bench.folders.outgoing.exists()


def test_a_disk_that_cannot_be_looked_at_between_the_renames_leaves_the_old_release(
    bench: Bench,
) -> None:
    before = snapshot(_staged(bench).app)
    bench.platform = _ClosesItsEye()

    with pytest.raises(Failed, match="the old one is back"):
        apply_release(bench.work(_STEP))

    assert snapshot(bench.app) == before
    bench.platform = FastLinux()
    apply_release(bench.work(_STEP))


def test_nobody_is_told_that_the_old_release_is_back_when_the_new_one_is_in_place(
    bench: Bench,
) -> None:
    before = snapshot(_staged(bench).app)
    bench.platform = _NotOnTheDisk("incoming")

    with pytest.raises(Failed, match="it is there, but maybe not for good"):
        apply_release(bench.work(_STEP))

    assert (bench.app / "lib/code.bin").read_bytes() == bench.release["lib/code.bin"]
    assert snapshot(bench.folders.outgoing) == before
    apply_release(bench.work(_STEP))


@pytest.mark.parametrize("name", ["app", f"app_old.{ROLLOUT}"])
def test_an_undo_that_the_disk_does_not_confirm_leaves_the_old_release_in_place(
    bench: Bench, name: str
) -> None:
    before = snapshot(bench.app)
    _applied(bench)
    bench.platform = _NotOnTheDisk(name)

    with pytest.raises(OSError, match="Input/output error"):
        put_old_back(bench.work(_STEP))

    assert snapshot(bench.app) == before
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_an_undo_that_cannot_bring_the_old_release_back_leaves_the_new_one_in_place(
    bench: Bench,
) -> None:
    before = snapshot(bench.app)
    new = snapshot(_applied(bench).app)
    bench.platform = _NoWayBack()

    with pytest.raises(OSError, match="Read-only"):
        put_old_back(bench.work(_STEP))

    assert snapshot(bench.app) == new
    bench.platform = FastLinux()
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_an_apply_cut_short_while_it_unpacks_needs_no_further_attempt(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "counted")
    effects = effects_of(lambda: apply_release(bench.work(_STEP)))

    for cut_at in range(1, effects + 1, 7):
        bench = Bench(tmp_path / str(cut_at))
        assert was_cut(lambda: apply_release(bench.work(_STEP)), cut_at)  # noqa: B023
        recover(bench.work(_STEP))
        apply_release(bench.work(_STEP))
