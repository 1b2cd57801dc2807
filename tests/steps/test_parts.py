from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.platforms.base import Item
from agent.steps.apply.parts import backed_up, is_kept_aside, keeps, moving, stays
from agent.wire.profile import Backup, Data, DataScope, Profile
from tests.agent.fakes import profile_of
from tests.steps.bench import ROLLOUT

_FILE, _FOLDER = 0o100644, 0o040755


def _profile(
    *,
    stay: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    include: tuple[str, ...] = (),
    data: Data | None = None,
) -> Profile:
    plain = profile_of()
    apply = replace(plain.apply, stay=stay, keep=keep)
    return replace(plain, apply=apply, backup=Backup(include), data=data or Data())


def _items(*paths: str) -> list[Item]:
    return [Item(p, _FOLDER if p.endswith("/") else _FILE, 1, 1, 1, 1) for p in paths]


def _names(items: Sequence[Item]) -> list[str]:
    return [item.path for item in items]


def test_data_of_this_host_is_carried_over_and_does_not_stay() -> None:
    profile = _profile(keep=("prefs/**",), data=Data(folders=("my data",)))

    assert keeps(profile)[:2] == ("prefs/**", "my data")
    assert stays(profile) == ()


def test_shared_data_stays_where_it_lies_in_the_folder_and_is_not_carried_over() -> None:
    shared = Data(DataScope.SHARED, ("data", "/srv/data", r"D:\data"), "server")
    profile = _profile(stay=("backup",), data=shared)

    assert stays(profile) == ("backup", "data")
    assert keeps(profile) == ()


def test_what_stays_is_not_moved_and_not_backed_up() -> None:
    profile = _profile(stay=("backup",))
    live = _items("backup", "backup/huge", "bin", "bin/app", "backups-of-mine")

    assert _names(moving(profile, live)) == ["bin", "bin/app", "backups-of-mine"]
    assert _names(backed_up(profile, live)) == ["bin", "bin/app", "backups-of-mine"]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (("**",), ["bin", "bin/app"]),
        (("bin/**", "backup/small"), ["backup/small", "bin", "bin/app"]),
        (("backup",), ["backup", "backup/huge", "backup/small"]),
    ],
)
def test_what_stays_is_backed_up_only_when_it_is_named(
    include: tuple[str, ...], expected: list[str]
) -> None:
    profile = _profile(stay=("backup",), include=include)
    live = _items("backup", "backup/huge", "backup/small", "bin", "bin/app")

    assert [n for n in _names(backed_up(profile, live)) if n in expected] == expected
    assert "backup/huge" in _names(backed_up(profile, live)) or "backup/huge" not in expected


@pytest.mark.parametrize(
    ("path", "aside"),
    [
        (f"data.{ROLLOUT}", True),
        (f"data.{ROLLOUT}/deep/file", True),
        (f"data.{ROLLOUT}-2", True),
        (f"other.{ROLLOUT}", False),
        ("data", False),
        ("data.old", False),
    ],
)
def test_data_that_a_roll_back_kept_is_known_by_its_name(path: str, aside: bool) -> None:
    assert is_kept_aside(_profile(data=Data(folders=("data",))), path) is aside
