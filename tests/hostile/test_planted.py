"""Security rows T31 to T35: what a user has planted is not followed, copied, deleted or run."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.config import AppPlace, Config, find_installation, read_config
from agent.folders import check_state, folders_for
from agent.platforms.base import Spot
from agent.steps.apply_release import apply_release, delete_old, put_old_back
from agent.steps.back_up import back_up
from agent.steps.stage import stage
from agent.steps.survey import survey
from agent.steps.table import Failed, Refused
from agent.wire.contract import Refusal, StepName
from tests.agent.fakes import ROLLOUT, profile_of
from tests.hostile.office import SECRET, Office
from tests.hostile.user import UID, told_by_user
from tests.steps.bench import FastLinux, snapshot, write_tree

_LINK = "os.symlink(sys.argv[1], sys.argv[2])"


def _plant_link(instead: Path, at: Path) -> None:
    told_by_user(_LINK, str(instead), str(at))


def _whole_update(office: Office) -> None:
    stage(office.work(StepName.STAGE))
    back_up(office.work(StepName.BACK_UP))
    apply_release(office.work(StepName.APPLY_RELEASE))


@pytest.mark.parametrize("where", ["prefs", "certs", "prefs/user.ini", "lib", "version.txt"])
def test_a_link_planted_in_the_app_is_never_followed(office: Office, where: str) -> None:
    told_by_user("os.rename(sys.argv[1], sys.argv[1] + '.away')", str(office.app / where))
    _plant_link(office.secret / where, office.app / where)

    try:
        _whole_update(office)
    except (Refused, Failed, OSError):
        assert (office.app / "version.txt").is_symlink() or (office.app / "bin/app").exists()
    for step in (put_old_back, delete_old):
        try:
            step(office.work(StepName.APPLY_RELEASE))
        except (Refused, Failed, OSError):
            continue

    office.check_untouched()


def test_an_app_folder_that_a_user_turned_into_a_link_is_refused(office: Office) -> None:
    told_by_user("os.rename(sys.argv[1], sys.argv[1] + '.away')", str(office.app))
    _plant_link(office.secret, office.app)
    places = {"bench-app": AppPlace(office.app, {})}
    config = Config("pc", office.state, (), places)

    with pytest.raises(Refused, match=f"is a link that belongs to user {UID}") as caught:
        find_installation(config, profile_of())
    for step in (stage, apply_release):
        with pytest.raises((Refused, Failed, OSError)):
            step(office.work(StepName.APPLY_RELEASE))

    assert caught.value.refusal is Refusal.FOLDER_RIGHTS
    office.check_untouched()


def test_a_link_of_a_user_on_the_way_to_the_app_is_refused_and_one_of_root_is_not(
    office: Office,
) -> None:
    below = office.app.parent
    (below / "by-root").symlink_to(office.app)
    _plant_link(below, below / "by-user")

    def find(folder: Path) -> Path:
        config = Config("pc", office.state, (), {"bench-app": AppPlace(folder, {})})
        return find_installation(config, profile_of()).folder

    assert find(below / "by-root") == office.app
    with pytest.raises(Refused, match="could have it lead anywhere"):
        find(below / "by-user" / "app")


@pytest.mark.parametrize("name", [f"app_old.{ROLLOUT}", f"app_old.{ROLLOUT}.part"])
@pytest.mark.parametrize("what", ["link", "file", "folder"])
def test_what_a_user_planted_where_the_old_release_is_kept_is_refused(
    office: Office, name: str, what: str
) -> None:
    planted = office.app.parent / name
    if what == "link":
        _plant_link(office.secret, planted)
    elif what == "file":
        told_by_user("open(sys.argv[1], 'w').close()", str(planted))
    else:
        told_by_user("os.makedirs(sys.argv[1] + '/x')", str(planted))
    before = snapshot(office.app)

    with pytest.raises(Refused, match="it is a link, a file or another user's folder") as caught:
        folders_for(office.state, ROLLOUT, office.app, office.platform)

    assert caught.value.refusal is Refusal.FOLDER_RIGHTS
    assert snapshot(office.app) == before
    office.check_untouched()


@pytest.mark.parametrize("what", ["link", "folder"])
def test_a_folder_for_releases_that_a_user_planted_beside_the_app_is_refused(
    office: Office, what: str
) -> None:
    beside = office.app.parent / ".roundsman"
    if what == "link":
        _plant_link(office.secret, beside)
    else:
        told_by_user("os.mkdir(sys.argv[1])", str(beside))

    with pytest.raises(Refused, match="cannot"):
        folders_for(office.state, ROLLOUT, office.app, _TwoVolumes())
    office.check_untouched()


def test_no_release_is_kept_where_users_may_rename_it(office: Office) -> None:
    with pytest.raises(Refused, match=r"users may rename what is in it; put the sticky bit"):
        folders_for(office.state, ROLLOUT, office.app, _TwoVolumes())

    office.app.parent.chmod(0o1777)
    folders_for(office.state, ROLLOUT, office.app, _TwoVolumes())
    told_by_user(
        "try: os.rename(sys.argv[1], sys.argv[1] + 'x')\nexcept PermissionError: print(1)",
        str(office.app.parent / ".roundsman"),
    )
    assert (office.app.parent / ".roundsman").is_dir()


class _TwoVolumes(FastLinux):
    """The state folder is not on the app's volume."""

    def same_volume(self, one: Path, other: Path) -> bool:
        return False


def test_pipes_planted_as_kept_files_neither_hold_the_agent_up_nor_are_copied(
    office: Office,
) -> None:
    code = "os.unlink(sys.argv[1])\nos.mkfifo(sys.argv[1])"
    told_by_user(code, str(office.app / "prefs/user.ini"))
    told_by_user("os.mkfifo(sys.argv[1])", str(office.app / "prefs/pipe"))

    _whole_update(office)

    assert not (office.app / "prefs/pipe").exists()
    assert not (office.app / "prefs/user.ini").exists()


@pytest.mark.parametrize("read", ["open_file", "copy", "give_rights"])
def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(office: Office, read: str) -> None:
    os.mkfifo(office.app / "pipe")
    pipe, other = Spot(office.app, "pipe"), Spot(office.app, "version.txt")
    acts: dict[str, Callable[[], object]] = {
        "open_file": lambda: office.platform.open_file(pipe),
        "copy": lambda: office.platform.copy(pipe, Spot(office.root, "copy")),
        "give_rights": lambda: office.platform.give_rights(other, pipe),
    }

    with pytest.raises(OSError, match="no plain file"):
        acts[read]()

    assert not (office.root / "copy").exists()


def test_a_hard_link_to_a_file_of_roots_keeps_its_owner_and_mode(office: Office) -> None:
    roots = office.root / "roots"
    roots.write_bytes(b"of root")
    roots.chmod(0o600)
    for name in ("prefs/linked", "lib/code.bin"):
        (office.app / name).unlink(missing_ok=True)
        os.link(roots, office.app / name)  # as a user may where the kernel does not protect
    before = _about(roots)

    _whole_update(office)

    assert _about(roots) == before
    assert (office.app / "prefs/linked").stat().st_ino != roots.stat().st_ino
    assert (office.app / "prefs/linked").stat().st_mode == roots.stat().st_mode
    assert (office.app / "lib/code.bin").stat().st_ino != roots.stat().st_ino


def _about(path: Path) -> tuple[object, ...]:
    found = path.stat()
    return (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, path.read_bytes())


def test_rights_are_never_given_to_what_has_another_name_elsewhere(office: Office) -> None:
    roots = office.root / "roots"
    roots.write_bytes(b"of root")
    os.link(roots, office.app / "linked")
    (office.app / "version.txt").chmod(0o666)

    for give in (office.platform.give_rights, office.platform.give_times):
        with pytest.raises(OSError, match="another file's link"):
            give(Spot(office.app, "version.txt"), Spot(office.app, "linked"))


_LOOK = """
found = []
for top in sys.argv[1:]:
    try:
        found += os.listdir(top)
    except PermissionError:
        pass
    try:
        open(os.path.join(top, "planted"), "w")
        found.append("planted")
    except PermissionError:
        pass
print(json.dumps(found))
"""


def test_state_staging_and_backups_are_closed_to_users(office: Office) -> None:
    folders = folders_for(office.state, ROLLOUT, office.app, office.platform)
    office.folders = folders
    stage(office.work(StepName.STAGE))
    back_up(office.work(StepName.BACK_UP))

    for top in (office.state, *(p for p in office.state.iterdir() if p.is_dir())):
        found = top.lstat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o700), top
    inside = [folders.incoming, folders.backup, folders.download, office.state]
    assert told_by_user(_LOOK, *map(str, inside)).strip() == "[]"


def test_a_state_folder_that_users_may_write_in_is_not_used(office: Office) -> None:
    check_state(office.state)
    office.state.chmod(0o770)
    with pytest.raises(PermissionError, match="others may write there"):
        check_state(office.state)


def test_a_state_folder_behind_a_users_link_is_not_used(office: Office) -> None:
    link = office.app.parent / "state"
    _plant_link(office.state, link)
    file = office.root / "agent.toml"
    file.write_text(
        f'host = "pc"\nstate = "{link}"\n[[coordinators]]\nlink = "c:1"\nhttps = "https://c:2"\n'
    )

    with pytest.raises(ValueError, match=f"state: .* is a link that belongs to user {UID}"):
        read_config(file)


_SWAP_PROGRAM = """
done = 0
for _ in range(2000):
    try:
        with open(sys.argv[1], "wb") as file:
            file.write(b"evil")
        done += 1
    except PermissionError:
        pass
    try:
        os.rename(sys.argv[1], sys.argv[1] + "x")
        done += 1
    except PermissionError:
        pass
print(done)
"""


def test_a_staged_program_cannot_be_swapped_between_check_and_use(office: Office) -> None:
    stage(office.work(StepName.STAGE))
    program = office.folders.incoming / "bin/app"

    assert told_by_user(_SWAP_PROGRAM, str(program)).strip() == "0"

    apply_release(office.work(StepName.APPLY_RELEASE))
    # from here on it has the rights of the old folder: whoever could change the app before
    # can now; so the agent itself runs nothing from there
    assert (office.app / "bin/app").read_bytes() == office.release["bin/app"]


def test_a_library_planted_beside_the_release_is_not_there_when_it_is_used(
    office: Office,
) -> None:
    told_by_user("open(sys.argv[1], 'w').write('evil')", str(office.app / "bin/evil.so"))

    stage(office.work(StepName.STAGE))
    assert {p.name for p in (office.folders.incoming / "bin").iterdir()} == {
        Path(path).name for path in office.release if path.startswith("bin/")
    }
    apply_release(office.work(StepName.APPLY_RELEASE))
    assert not (office.app / "bin/evil.so").exists()


def test_a_survey_sweeps_only_what_is_its_own(office: Office) -> None:
    beside = office.app.parent
    write_tree(beside / "roots", {"work": b"of years"})
    told_by_user(
        "os.rename(sys.argv[1] + '/roots', sys.argv[1] + '/.roundsman-test-x')", str(beside)
    )
    _plant_link(office.secret, beside / ".roundsman-test-y")
    _plant_link(office.secret, office.app / ".roundsman-test-z")

    survey(office.work(StepName.SURVEY))

    assert (beside / ".roundsman-test-x/work").read_bytes() == b"of years"
    assert (beside / ".roundsman-test-y").is_symlink()
    office.check_untouched()


def test_a_tree_nested_deeper_than_can_be_opened_is_deleted(office: Office) -> None:
    told_by_user(
        "os.chdir(sys.argv[1])\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\n",
        str(office.app / "prefs"),
    )
    _plant_link(office.secret, office.app / "prefs/d/d/link")

    office.platform.remove(Spot(office.app, "prefs"))

    assert not (office.app / "prefs").exists()
    assert (office.secret / "prefs/user.ini").read_bytes() == SECRET
