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


def test_what_is_withdrawn_is_shown_to_who_has_signed_it_here(
    signed: RealOffice, terminal: Terminal
) -> None:
    said = terminal(f"release withdraw {APP} 1.1 --why", "loses invoices")
    assert said.code == 0
    assert "agents     accept it until the list is signed anew" in said.out
    assert said.out.endswith("next: roundsman release sign\n")
    waits = terminal("release unsigned")
    assert waits.code == 1
    assert "off the list" in waits.out
    assert (
        "withdrawn by ann: loses invoices; agents still accept it" in terminal("release list").out
    )
    lines = terminal(SIGN).out.splitlines()
    gone = [line for line in lines if line.startswith("no more on the list: ")]
    assert [f"packages/{APP}/1.1/workstation-linux.json  sha256 " in line for line in gone] == [
        True
    ]
    assert terminal("release unsigned").code == 0
    assert "no more on the list" not in terminal(SIGN).out
    listed = terminal("release list").out
    assert "withdrawn by ann: loses invoices" in listed
    assert "still accept" not in listed


def test_a_withdrawal_is_carried_to_another_pc_and_signed_there(
    signed: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    terminal(f"release withdraw {APP} 1.1")
    paper, back = str(tmp_path / "list.json"), str(tmp_path / "signed.json")
    assert terminal("release unsigned --to", paper).code == 1
    said = terminal("release sign --yes --from", paper, "--to", back)
    assert "no more on the list: packages/" in said.out, said.err
    assert terminal("release publish", back).code == 0
    assert not any(t.name.startswith("packages/") for t in signed.repository.published())


def test_put_back_it_needs_a_signature_only_when_it_was_off_the_list(
    signed: RealOffice, terminal: Terminal
) -> None:
    terminal(f"release withdraw {APP} 1.1")
    said = terminal(f"release withdraw {APP} 1.1 --undo")
    assert "on offer again" in said.out
    assert "accept it" in said.out
    assert "next:" not in said.out
    terminal(f"release withdraw {APP} 1.1")
    terminal(SIGN)
    assert terminal(f"release withdraw {APP} 1.1 --undo").out.endswith("roundsman release sign\n")


def test_a_rollout_of_it_makes_a_person_needed(signed: RealOffice, terminal: Terminal) -> None:
    signed.add_hosts()
    signed.start(terminal(f"plan {APP} 1.1 --within 7200 --json").json["label"])
    said = terminal(f"release withdraw {APP} 1.1")
    assert said.code == 1
    assert "r1" in said.out
    assert "mend       roundsman rollout abort r1 --roll-back-all" in said.out
    assert terminal(f"release withdraw {APP} 1.1 --json").json["rollouts"][0]["label"] == "r1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nothing 1.1", "no package of nothing 1.1"),
        (f"{APP} 7.0", f"no package of {APP} 7.0"),
        (f"{APP} 1.1 --why {'x' * 201}", "why: string should have at most 200"),
    ],
)
def test_a_withdrawal_that_cannot_be_is_explained(
    signed: RealOffice, terminal: Terminal, words: str, said: str
) -> None:
    answer = terminal(f"release withdraw {words}")
    assert answer.code == 2
    assert said in answer.err
    assert signed.repository.withdrawn() == []
