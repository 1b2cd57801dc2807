"""`roundsman-agent let-go`: what the package asks before it replaces or removes the agent."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.journal import Journal
from agent.records import StepRecord
from agent.wire.contract import Direction, StepName, StepReport, StepState
from tests.agent.fakes import PARAMS, ROLLOUT, step_id
from tests.agent.test_cordon import SEALED
from tests.agent.test_main import close_app, running, write_config

Ask = Callable[..., int]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def let_go(config: Path) -> Ask:
    def ask(*words: str) -> int:
        return main(["let-go", "--config", str(config), *words])

    return ask


def begin(config: Path, step: StepName, state: StepState = StepState.RUNNING) -> None:
    """Have the journal say how far a step is."""
    report = StepReport(step_id(step), Direction.DO, state, 1)
    with closing(Journal.open(config.parent / "journal.sqlite")) as journal:
        journal.put_step(StepRecord(report, PARAMS, journal.next_run(), time.time()))


@pytest.mark.parametrize("leaving", ["upgrade", "removal"])
def test_an_agent_that_does_nothing_may_go(
    config: Path, let_go: Ask, leaving: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(config):
        assert let_go(leaving) == 0
    assert let_go(leaving) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("leaving", ["upgrade", "removal"])
def test_nobody_takes_it_away_in_the_middle_of_a_step_of_a_visit(
    config: Path, let_go: Ask, leaving: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(config):
        begin(config, StepName.APPLY_RELEASE)
        assert let_go(leaving, "--wait", "0") == 1
    assert f"no {leaving} now: the agent is in the middle of the step" in capsys.readouterr().out


def test_a_step_is_waited_for(config: Path) -> None:
    words = ["let-go", "upgrade", "--wait", "60", "--config", str(config)]
    with running(config):
        begin(config, StepName.BACK_UP)
        asks = [sys.executable, "-m", "agent", *words]
        with subprocess.Popen(asks, stderr=subprocess.PIPE, text=True) as asking:
            assert asking.stderr is not None
            assert "its end is waited for" in asking.stderr.readline()
            assert asking.poll() is None
            begin(config, StepName.BACK_UP, StepState.DONE)
            assert asking.wait(30) == 0


def test_what_is_fetched_ahead_goes_on_after_the_restart_so_it_is_not_waited_for(
    config: Path, let_go: Ask
) -> None:
    with running(config):
        begin(config, StepName.STAGE)
        assert let_go("upgrade", "--wait", "0") == 0


def test_a_step_that_a_crash_has_cut_is_not_waited_for(config: Path, let_go: Ask) -> None:
    begin(config, StepName.APPLY_RELEASE)
    assert let_go("upgrade") == 0


def test_what_keeps_an_app_closed_may_be_replaced_but_not_removed(
    config: Path, let_go: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    close_app(config, SEALED)
    assert let_go("upgrade") == 0
    assert let_go("removal") == 1
    said = capsys.readouterr().out
    assert f"no removal now: bench-app is kept closed here by rollout {ROLLOUT}" in said
    assert "roundsman-agent uncordon" in said


def test_once_the_administrator_has_opened_the_app_the_agent_may_be_removed(
    config: Path, let_go: Ask
) -> None:
    close_app(config, SEALED)
    assert main(["uncordon", "--config", str(config)]) == 0
    assert let_go("removal") == 0


def test_who_cannot_tell_says_so_and_is_not_taken_for_a_no(
    config: Path, let_go: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "journal.sqlite").write_text("rubbish, and no database at all")
    assert let_go("removal") == 2
    config.unlink()
    assert let_go("upgrade") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "not enrolled" in err


@pytest.mark.parametrize("words", [[], ["holiday"], ["upgrade", "--wait", "long"]])
def test_what_it_is_not_made_for_is_refused(let_go: Ask, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        let_go(*words)
    assert ended.value.code == 2
