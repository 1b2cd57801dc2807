"""What somebody who signs is shown: the new first and whole, what they signed before in a line."""

from pathlib import Path

import pytest

from coordinator.api.asks import PackageAsk, ProfileAsk
from coordinator.folders import operator_folder
from tests.api.real import APP, PROFILE, RealOffice, make_zip
from tests.cli.terminal import Terminal

SIGN = "release sign --yes"
ACTION = "stops and starts the system's unit om-server.service"


@pytest.fixture
def signed(
    office: RealOffice, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RealOffice:
    """An office in which the person at the terminal has signed a profile and a package."""
    monkeypatch.setenv("ROUNDSMAN_PASSPHRASE", "correct horse battery")
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        client.add_package(PackageAsk(app=APP, version="1.1"), make_zip(tmp_path / "r.zip"))
    first = terminal(SIGN)
    assert ACTION in first.out, first.err
    return office


def _add(office: RealOffice, folder: Path, version: str) -> None:
    with office.client() as client:
        ask = PackageAsk(app=APP, version=version)
        client.add_package(ask, make_zip(folder / "n.zip", version=b"app=new\n"))


def test_what_is_new_is_shown_first_and_whole_and_the_rest_in_a_line_each(
    signed: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    _add(signed, tmp_path, "1.2")
    said = terminal(SIGN)
    lines = said.out.splitlines()
    assert "1.2" in lines[0]
    assert "(new)" in lines[0]
    assert any("from the zip with sha256" in line for line in lines)
    before = [line for line in lines if line.startswith("as before: ")]
    assert len(before) == 2
    assert all(len(line.rpartition(" sha256 ")[2]) == 16 for line in before)
    assert lines.index(before[0]) > 0
    assert ACTION not in said.out


def test_what_was_never_signed_at_this_pc_is_shown_whole(
    signed: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    for kept in operator_folder().glob("signed-*.txt"):
        kept.unlink()
    _add(signed, tmp_path, "1.2")
    said = terminal(SIGN)
    assert "(new)" in said.out.splitlines()[0]
    assert ACTION in said.out
    assert "as before:" not in said.out


def test_a_profile_changed_since_is_shown_whole_again(
    signed: RealOffice, terminal: Terminal
) -> None:
    with signed.client() as client:
        client.add_profile(ProfileAsk(text=f"{PROFILE}\n# changed\n"))
    assert ACTION in terminal(SIGN).out


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"no such line\n"])
def test_a_spoilt_note_of_what_was_signed_hides_nothing(
    signed: RealOffice, terminal: Terminal, content: bytes
) -> None:
    for kept in operator_folder().glob("signed-*.txt"):
        kept.write_bytes(content)
    assert ACTION in terminal(SIGN).out
