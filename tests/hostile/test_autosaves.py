"""Users own their home: whatever is planted there, only their own plain files are copied."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent.steps.autosave import Autosaves
from agent.wire.contract import StepName
from agent.wire.profile import Close
from tests.hostile.office import SECRET, Office
from tests.hostile.user import UID, swapping, told_by_user
from tests.steps.bench import FastLinux, SmallWork, write_tree

_ROUNDS = 300


class _Homes(FastLinux):
    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home

    def home(self, user: str) -> Path | None:
        return self._home


@pytest.fixture
def home(office: Office) -> Path:
    """The home of an ordinary user, with one letter that was saved by itself."""
    home = office.root / "home" / "marie"
    write_tree(home, {"autosave/letter": b"dear", "autosave/deep/bill": b"42"})
    for path in (home, *home.rglob("*")):
        os.chown(path, UID, UID)
    office.platform = _Homes(home)
    office.profile = replace(office.profile, close=Close(autosave=("autosave/**",)))
    return home


def _keep(office: Office) -> tuple[SmallWork, dict[str, bytes]]:
    work = office.work(StepName.DRAIN)
    Autosaves(work).keep("marie")
    copies = office.folders.autosaves / "marie"
    number = max((int(path.name) for path in copies.glob("[0-9]*")), default=0)
    place = copies / str(number)
    found = [path for path in place.rglob("*") if not path.is_dir()]
    assert not any(path.is_symlink() for path in found)
    return work, {path.relative_to(place).as_posix(): path.read_bytes() for path in found}


_HONEST = {"autosave/letter": b"dear", "autosave/deep/bill": b"42"}


@pytest.mark.parametrize(
    "plant",
    [
        "os.symlink(sys.argv[2], sys.argv[1] + '/autosave/link')",
        "os.symlink(sys.argv[2] + '/prefs', sys.argv[1] + '/autosave/folder')",
        "os.symlink('/etc/shadow', sys.argv[1] + '/autosave/shadow')",
        "os.symlink('..', sys.argv[1] + '/autosave/circle')",
        "os.mkfifo(sys.argv[1] + '/autosave/pipe')",
        "os.mknod(sys.argv[1] + '/autosave/socket', stat.S_IFSOCK | 0o600)",
    ],
)
def test_what_is_no_plain_file_is_neither_followed_nor_waited_for(
    office: Office, home: Path, plant: str
) -> None:
    told_by_user(plant, str(home), str(office.secret))

    work, kept = _keep(office)

    assert kept == _HONEST
    assert work.found == set()
    office.check_untouched()


def test_the_home_itself_or_a_folder_of_it_turned_into_a_link_leads_nowhere(
    office: Office, home: Path
) -> None:
    write_tree(office.secret, {"autosave/letter": SECRET})
    told_by_user(
        "os.rename(sys.argv[1] + '/autosave', sys.argv[1] + '/away')\n"
        "os.symlink(sys.argv[2] + '/autosave', sys.argv[1] + '/autosave')",
        str(home),
        str(office.secret),
    )
    assert _keep(office)[1] == {}
    home.rename(home.with_name("away"))
    home.symlink_to(office.secret)
    os.chown(home, UID, UID, follow_symlinks=False)

    work, kept = _keep(office)

    assert kept == {}
    assert work.found == {"autosave-not-copied"}
    assert f"is a link that belongs to user {UID}" in work.findings[0].message


def test_another_users_file_in_the_home_is_not_copied(office: Office, home: Path) -> None:
    os.link(office.secret / "user.ini", home / "autosave" / "mine")  # old kernels let users do it

    work, kept = _keep(office)

    assert kept == _HONEST
    assert "another user's" in work.findings[0].message


def test_folders_without_end_and_names_of_any_kind_hold_nothing_up(
    office: Office, home: Path
) -> None:
    told_by_user(
        "os.chdir(sys.argv[1] + '/autosave')\n"
        "open(b'\\xff\\n\\x1b[31m', 'w').close()\n"
        "for _ in range(200):\n    os.mkdir('d' * 60)\n    os.chdir('d' * 60)\n"
        "open('far', 'w').close()",
        str(home),
    )

    work, kept = _keep(office)

    assert kept.items() >= _HONEST.items()
    assert not any(path.endswith("far") for path in kept)
    assert all(finding.message.isprintable() for finding in work.findings)


@pytest.mark.parametrize(
    ("swapped", "instead"), [("autosave", "secret/prefs"), ("autosave/letter", "secret/user.ini")]
)
def test_what_is_swapped_for_a_link_meanwhile_is_not_followed(
    office: Office, home: Path, swapped: str, instead: str
) -> None:
    attempts = 0
    with swapping(home / swapped, office.root / instead, _ROUNDS) as user:
        while user.is_at_it:
            attempts += 1
            _, kept = _keep(office)
            assert SECRET not in kept.values()

    assert attempts > 1
    assert user.links == _ROUNDS
    office.check_untouched()
