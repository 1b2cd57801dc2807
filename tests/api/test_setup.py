"""`set_up`: everything is made once; a second run, or one after a power cut, does no harm."""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.access import OPERATOR_FILE, read_access, token_hash
from coordinator.complaint import Complaint
from coordinator.settings import Settings, read_settings
from coordinator.setup import Made, set_up
from coordinator.store.database import open_database
from coordinator.store.fleet import People
from tests.api.real import PASSPHRASE


def _hashes(folder: Path) -> dict[str, str]:
    files = [f for f in folder.rglob("*") if f.is_file()]
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def _set_up(folder: Path, passphrase: Callable[[], str] = lambda: PASSPHRASE) -> list[Made]:
    settings = Settings(home=folder / "home", addresses=("coordinator.lan",), site="lyon")
    return set_up(settings, folder / "operator", "ann", passphrase)


def _not_asked() -> str:
    raise AssertionError("the passphrase was asked for")


def _copy(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder, dirs_exist_ok=True)
    return folder


def _role(folder: Path) -> str:
    """Return as what the operator's token is known to the database."""
    database = open_database(read_settings(folder / "home").database)
    try:
        who = People(database).operator_by_token(
            token_hash(read_access(folder / "operator").token)
        )
        return "" if who is None else who.role
    finally:
        database.dispose()


def test_twice_changes_nothing_and_says_so(tmp_path: Path) -> None:
    assert any(made.new for made in _set_up(tmp_path))
    before = _hashes(tmp_path)
    assert not any(made.new for made in _set_up(tmp_path, _not_asked))
    assert _hashes(tmp_path) == before
    assert read_settings(tmp_path / "home").site == "lyon"
    assert _role(tmp_path) == "admin"


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_nobody_else_can_read_what_is_secret(template: Path) -> None:
    folders = [template / "home", template / "operator"]
    folders += [f for f in (template / "home").iterdir() if f.is_dir()]
    assert {f.stat().st_mode & 0o077 for f in folders} == {0}
    assert (template / "operator" / OPERATOR_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "lost", ["home/coordinator.toml", "operator/operator.toml", "home/repository/metadata"]
)
def test_what_a_power_cut_left_out_is_made_by_the_next_run(
    template: Path, tmp_path: Path, lost: str
) -> None:
    _copy(template, tmp_path)
    path = tmp_path / lost
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    else:
        path.unlink()
    assert [made.new for made in _set_up(tmp_path)].count(True) == 1
    assert _role(tmp_path) == "admin"
    assert not any(made.new for made in _set_up(tmp_path, _not_asked))


def test_a_token_survives_the_loss_of_the_database(template: Path, tmp_path: Path) -> None:
    _copy(template, tmp_path)
    for file in (tmp_path / "home").glob("roundsman.sqlite*"):
        file.unlink()
    _set_up(tmp_path, _not_asked)
    assert _role(tmp_path) == "admin"


def test_a_short_passphrase_is_refused_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Complaint, match="at least 12 characters"):
        _set_up(tmp_path, lambda: "short")
    _set_up(tmp_path)
    assert _role(tmp_path) == "admin"


def test_another_coordinator_s_access_is_not_overwritten(template: Path, tmp_path: Path) -> None:
    _copy(template, tmp_path)
    settings = Settings(home=tmp_path / "second")
    with pytest.raises(Complaint, match="gives access to another coordinator") as caught:
        set_up(settings, tmp_path / "operator", "ann", lambda: PASSPHRASE)
    assert "ROUNDSMAN_CONFIG" in caught.value.mend


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = Settings(home=tmp_path / "file" / "home")
    with pytest.raises(Complaint, match=r"cannot make .*file"):
        set_up(settings, tmp_path / "operator", "ann", lambda: PASSPHRASE)


def test_a_ca_whose_key_is_lost_is_not_made_anew(template: Path, tmp_path: Path) -> None:
    _copy(template, tmp_path)
    (tmp_path / "home" / "ca" / "ca-key.pem").unlink()
    before = (tmp_path / "home" / "ca" / "ca.pem").read_bytes()
    with pytest.raises(Complaint, match="its key is not there") as caught:
        _set_up(tmp_path)
    assert "backup" in caught.value.mend
    assert (tmp_path / "home" / "ca" / "ca.pem").read_bytes() == before


def test_a_database_that_is_none_is_said_so(template: Path, tmp_path: Path) -> None:
    _copy(template, tmp_path)
    (tmp_path / "operator" / OPERATOR_FILE).unlink()
    (tmp_path / "home" / "roundsman.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(Complaint, match="cannot read the database"):
        _set_up(tmp_path, _not_asked)


def test_settings_of_an_existing_home_hold(template: Path, tmp_path: Path) -> None:
    _copy(template, tmp_path)
    before = read_settings(tmp_path / "home")
    other = replace(before, site="paris", https_port=9999)
    set_up(other, tmp_path / "operator", "ann", _not_asked)
    assert read_settings(tmp_path / "home") == before
