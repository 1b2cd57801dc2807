import os
from pathlib import Path

import pytest

from agent.real_path import ForeignLink, real_path


def test_links_of_the_administrator_are_followed_to_where_they_lead(tmp_path: Path) -> None:
    (tmp_path / "disk/apps/app").mkdir(parents=True)
    (tmp_path / "opt").symlink_to("disk/apps")
    (tmp_path / "disk/again").symlink_to(tmp_path / "opt")
    (tmp_path / "disk/up").symlink_to("../opt/../again/app")

    for path in ("disk/apps/app", "opt/app", "disk/again/app", "disk/up", "opt/../again/app"):
        assert real_path(tmp_path / path) == tmp_path / "disk/apps/app"


def test_what_is_not_there_yet_is_left_as_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "opt").symlink_to("disk")

    assert real_path(tmp_path / "opt/to/come") == tmp_path / "disk/to/come"
    assert real_path(Path("/")) == Path("/")


def test_links_that_lead_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")

    with pytest.raises(OSError, match="links lead in a circle"):
        real_path(tmp_path / "one")


def test_a_link_of_a_user_is_refused_by_name(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a link to somebody")
    (tmp_path / "app").symlink_to("elsewhere")
    os.lchown(tmp_path / "app", 12345, 12345)

    with pytest.raises(ForeignLink, match='app" is a link that belongs to user 12345'):
        real_path(tmp_path / "app/below")
