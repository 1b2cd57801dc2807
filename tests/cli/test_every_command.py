"""Each command there is: it has help, takes --json, and what it then prints is JSON."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from agent.wire.contract import Finding, Severity
from coordinator.api.asks import ProfileAsk
from coordinator.cli.main import COMMANDS, program
from coordinator.model import SurveyOf
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState
from tests.api.real import APP, PROFILE, RealOffice, make_zip
from tests.cli.terminal import Terminal
from tests.noon import to_noon

NO_JSON = {"serve"}  # runs until it is stopped, and writes a log
HEAVY = ("pydantic", "sqlalchemy", "dbos", "starlette", "uvicorn", "rich", "urllib3", "alembic")


def _all_commands() -> list[str]:
    """Return every command, groups resolved, as a person types it."""
    found: list[str] = []
    for row in COMMANDS:
        group = typer.main.get_command(program([row.name])).commands[row.name]  # type: ignore[attr-defined]
        names = [f"{row.name} {name}" for name in getattr(group, "commands", {})]
        found += names or [row.name]
    return found


EACH = pytest.mark.parametrize("command", _all_commands())


@EACH
def test_every_command_says_what_it_does(terminal: Terminal, command: str) -> None:
    said = terminal(command, "--help")
    assert said.code == 0
    about = said.out.split("\n\n")[1].strip()
    assert len(about) > 10
    assert "..." not in about


@EACH
def test_every_command_speaks_to_programs_too(terminal: Terminal, command: str) -> None:
    if command not in NO_JSON:
        assert "--json" in terminal(command, "--help").out


def test_the_help_of_the_whole_names_every_command(terminal: Terminal) -> None:
    said = terminal("--help")
    assert all(row.name in said.out for row in COMMANDS)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from coordinator.cli.main import run; run(['--help']); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", ["nonsense", "fleet nonsense", "fleet token", "rollout skip r1"])
def test_what_cannot_be_understood_ends_with_two(terminal: Terminal, words: str) -> None:
    said = terminal(words)
    assert said.code == 2
    assert said.out == ""
    assert said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("plan office", "error: cannot plan office: to which version is not said"),
        ("plan office 1.1 --window noon", "window: must be two times of day, as 12:00-14:00"),
        ("plan office 1/1", "version: must be letters, digits and . + _ ~ -, as 1.4.2"),
    ],
)
@pytest.mark.usefixtures("office")
def test_what_is_mistyped_is_explained_without_a_pattern(
    terminal: Terminal, words: str, said: str
) -> None:
    answer = terminal(words)
    assert answer.code == 2
    assert said in answer.err


FLEET = "".join(f'[[host]]\nname = "PC-0{n}"\ngroup = "office"\n' for n in (2, 1, 9))
ANSWERED = [
    ("health", 0),
    ("audit", 0),
    ("operator list", 0),
    ("operator add marie --role viewer --mail marie@office.example", 0),
    ("operator mail marie m.dupont@office.example", 0),
    ("operator revoke marie --yes", 0),
    ("fleet list", 0),
    ("fleet show PC-01", 0),
    ("fleet token --group office --uses 5 --automatic", 0),
    ("fleet hold PC-02 --reason holiday", 0),
    ("fleet release PC-02", 0),
    ("fleet revoke PC-03 --yes", 0),
    ("fleet import {fleet}", 1),
    ("profile list", 0),
    ("profile check office-maker", 0),
    ("profile add starface", 0),
    ("release list", 0),
    ("release unsigned", 1),
    ("release sign --yes", 0),
    ("release unsigned", 0),
    ("tidy --dry-run", 0),
    ("tidy", 0),
    ("doctor PC-01 --app office-maker", 0),
    (f"plan {APP} 1.1 --within 7200", 0),
    ("plan p1", 0),
    ("rollout start p1", 0),
    ("rollout list", 0),
    ("rollout status", 0),
    ("rollout why r1", 0),
    ("rollout news r1", 0),
    ("rollout codes r1", 0),
    ("rollout report r1", 0),
    ("rollout pause r1", 0),
    ("rollout resume r1 --until 23:59", 0),
    ("rollout retry r1 --host PC-01", 0),
    ("rollout skip r1 PC-01 --switched-off", 0),
    ("rollout roll-back r1 --host PC-01 --yes", 0),
    ("rollout abort r1 --yes", 0),
]


def test_a_whole_day_in_json(
    office: RealOffice, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDSMAN_PASSPHRASE", "correct horse battery")
    office.clock.ahead = to_noon()
    office.add_hosts()
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET)
    (tmp_path / "profile.toml").write_text(PROFILE)
    added = terminal("profile add --json", str(tmp_path / "profile.toml"))
    assert added.json["name"] == APP
    package = make_zip(tmp_path / "r.zip")
    assert terminal(f"release add {APP} 1.1 --json", str(package)).json["version"] == "1.1"
    for words, code in ANSWERED:
        said = terminal(words.format(fleet=fleet), "--json")
        assert (words, said.code) == (words, code), said.err
        assert isinstance(said.json, dict | list)
    office.tell(office.rollouts.all()[0].id, News(RolloutState.DONE))
    assert terminal("rollout watch r1 --json").json["state"] == "done"


def test_a_whole_day_in_tables(
    office: RealOffice, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDSMAN_PASSPHRASE", "correct horse battery")
    office.clock.ahead = to_noon()
    office.add_hosts()
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET)
    (tmp_path / "profile.toml").write_text(PROFILE)
    terminal("profile add", str(tmp_path / "profile.toml"))
    terminal(f"release add {APP} 1.1", str(make_zip(tmp_path / "r.zip")))
    for words, code in ANSWERED:
        said = terminal(words.format(fleet=fleet))
        assert (words, said.code) == (words, code), said.err
        assert said.out.strip()


def test_a_person_is_needed_ends_with_one(office: RealOffice, terminal: Terminal) -> None:
    office.add_hosts()
    finding = Finding("folder-rights", Severity.BLOCKS, "cannot rename", "give full rights")
    office.surveyor.said["pc-01-abcdef"] = SurveyOf({}, (finding,))
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
    office.sign()
    said = terminal("doctor")
    assert said.code == 1
    assert "give full rights" in said.out


def test_the_program_is_there_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "coordinator.cli", "rollout", "list"],
        capture_output=True,
        check=False,
        text=True,
        env=os.environ | {"ROUNDSMAN_CONFIG": "/nonexistent"},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot find /nonexistent/operator.toml")
    assert "mend: " in done.stderr
