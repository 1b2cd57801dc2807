from pathlib import Path

import pytest

from agent.folders import folders_for
from agent.steps.table import Refused
from agent.wire.contract import Refusal
from tests.agent.fakes import LATER_ROLLOUT, ROLLOUT, FakePlatform


class TwoVolumes(FakePlatform):
    """The state folder is not on the app's volume."""

    def same_volume(self, one: Path, other: Path) -> bool:
        return False


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "opt" / "app"


def test_everything_but_the_old_release_is_in_the_state_folder_of_one_volume(
    state: Path, app: Path
) -> None:
    folders = folders_for(state, ROLLOUT, app, FakePlatform())
    for folder in (folders.download, folders.incoming, folders.discarded, folders.backup):
        assert folder.is_relative_to(state)
    assert folders.outgoing == app.with_name(f"app_old.{ROLLOUT}")


def test_what_is_swapped_lies_beside_the_app_on_its_own_volume(state: Path, app: Path) -> None:
    app.mkdir(parents=True)
    folders = folders_for(state, ROLLOUT, app, TwoVolumes())
    for folder in (folders.incoming, folders.discarded):
        assert folder.is_relative_to(app.parent / ".roundsman")
    assert folders.backup.is_relative_to(state)


def test_what_is_above_is_made_for_the_administrator_alone(state: Path, app: Path) -> None:
    app.mkdir(parents=True)
    folders = folders_for(state, ROLLOUT, app, TwoVolumes())
    for folder in (folders.download, folders.incoming.parent, folders.backup.parent):
        assert folder.stat().st_mode & 0o077 == 0
    assert (app.parent / ".roundsman").stat().st_mode & 0o077 == 0
    assert not folders.incoming.exists()
    assert not folders.outgoing.exists()


def test_two_rollouts_share_nothing_that_is_swapped(state: Path, app: Path) -> None:
    one = folders_for(state, ROLLOUT, app, FakePlatform())
    other = folders_for(state, LATER_ROLLOUT, app, FakePlatform())
    assert not {one.incoming, one.outgoing, one.discarded, one.backup} & {
        other.incoming,
        other.outgoing,
        other.discarded,
        other.backup,
    }


@pytest.mark.parametrize("planted", ["link", "file", "open"])
def test_a_planted_folder_beside_the_app_is_refused(
    state: Path, app: Path, tmp_path: Path, planted: str
) -> None:
    app.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    beside = app.parent / ".roundsman"
    if planted == "link":
        beside.symlink_to(tmp_path / "elsewhere")
    elif planted == "file":
        beside.write_text("x")
    else:
        beside.mkdir()
        beside.chmod(0o777)
    with pytest.raises(Refused, match="it is a link, a file") as caught:
        folders_for(state, ROLLOUT, app, TwoVolumes())
    assert caught.value.refusal is Refusal.FOLDER_RIGHTS
    assert not list((tmp_path / "elsewhere").iterdir())
