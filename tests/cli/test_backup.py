"""`roundsman backup` at a terminal."""

import io
import json

import pytest

from agent.wire.contract import Direction, Finding, Severity, StepReport, StepState
from coordinator.api.asks import ProfileAsk
from coordinator.fleet.standing import Standing
from tests.api.real import APP, PROFILE, RealOffice
from tests.cli.terminal import Terminal

HOST = "pc-01-abcdef"
OLDER = "01JC0000000000000000000000"
NEWER = "01JD0000000000000000000000"
_ABOUT = {
    "app": APP, "version": "1.0", "made": 1.7e9, "complete": True, "files": 3,
    "bytes": 70_000_000, "encrypted": True,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _office(office: RealOffice) -> None:
    """PC-01 is linked, and has two backups."""
    office.add_hosts()
    office.links.known[HOST] = Standing(HOST, linked=True)
    older = _ABOUT | {"complete": False, "encrypted": False}
    listed = {OLDER: json.dumps(older), NEWER: json.dumps(_ABOUT)}
    office.agents.facts["list-backups"] = listed
    office.agents.facts["verify-backup"] = {"backup": NEWER, "files": "3", "bytes": "70000000"}
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
    office.sign()


def test_the_list_says_which_can_be_restored(terminal: Terminal) -> None:
    said = terminal("backup list PC-01")

    assert said.code == 0
    older, newer = [line for line in said.out.splitlines() if line.startswith("01J")]
    assert "not completed" in older
    assert older.rstrip().endswith("no")
    assert "complete" in newer
    assert "70 MB" in newer
    assert newer.rstrip().endswith("yes")


def test_a_damaged_backup_needs_a_person(office: RealOffice, terminal: Terminal) -> None:
    office.agents.facts["list-backups"] = {NEWER: json.dumps({"damaged": True})}

    said = terminal("backup list PC-01")

    assert said.code == 1
    assert "damaged" in said.out


def test_no_backup_yet_is_said_in_words(office: RealOffice, terminal: Terminal) -> None:
    office.agents.facts["list-backups"] = {}

    said = terminal("backup list PC-01")

    assert (said.code, said.out.split(":")[0]) == (0, "No backup yet")


def test_a_good_backup_ends_with_zero_and_a_damaged_one_with_one(
    office: RealOffice, terminal: Terminal
) -> None:
    said = terminal("backup verify PC-01")
    assert said.code == 0
    assert "the backup on PC-01 is as it was made" in said.out
    assert "70 MB" in said.out

    office.agents.findings["verify-backup"] = (
        Finding("backup-damaged", Severity.BLOCKS, 'the backup is damaged: "bin/app"', "not it"),
    )
    said = terminal("backup verify PC-01")
    assert said.code == 1
    assert "the backup on PC-01 is damaged" in said.out
    assert '"bin/app"' in said.out


def test_a_rehearsal_asks_nobody_and_changes_nothing(
    office: RealOffice, terminal: Terminal
) -> None:
    said = terminal("backup restore PC-01 --rehearse")

    assert said.code == 0
    assert "can be restored: rebuilt, compared, deleted" in said.out
    assert office.agents.cordons == []


def test_a_restore_is_agreed_to_first(
    office: RealOffice, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    said = terminal("backup restore PC-01")

    assert said.code != 0
    assert office.agents.taken == []


def test_a_restore_tells_its_steps_and_how_it_ended(
    office: RealOffice, terminal: Terminal
) -> None:
    office.agents.facts["restore-backup"] = {"version": "1.0", "kept_folder": "/opt/app_old.X"}

    said = terminal("backup restore PC-01 --yes")

    assert said.code == 0
    assert "PC-01 is restored and open again" in said.out
    assert "/opt/app_old.X" in said.out


def test_a_restore_that_fails_says_why_and_ends_with_one(
    office: RealOffice, terminal: Terminal
) -> None:
    office.agents.reports["restore-backup"] = StepReport(
        "", Direction.DO, StepState.FAILED, 1, detail="cannot rename it"
    )

    said = terminal("backup restore PC-01 --yes")

    assert said.code == 1
    assert "PC-01 could not restore the backup" in said.out
    assert "cannot rename it" in said.out


def test_programs_get_one_answer_and_nothing_else(terminal: Terminal) -> None:
    for words in ("list PC-01", "verify PC-01", "restore PC-01 --rehearse", "restore PC-01 --yes"):
        said = terminal(f"backup {words} --json")
        assert said.code == 0
        assert isinstance(said.json, dict | list)
        assert said.err == ""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("list PC-02", "it is not linked"),
        ("list PC-77", "no host 'PC-77'"),
        ("verify PC-01 --backup x", "backup: must be the name of a backup"),
        ("restore PC-01 --rehearse --leave-closed", "a rehearsal changes nothing"),
        (f"restore PC-01 --yes --backup {OLDER}", "it was never completed"),
    ],
)
def test_what_cannot_be_asked_ends_with_two_and_says_why(
    terminal: Terminal, words: str, why: str
) -> None:
    said = terminal(f"backup {words}")

    assert said.code == 2
    assert why in said.err
