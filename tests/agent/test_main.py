"""`roundsman-agent` as a program."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.cordon import Cordon
from agent.cordon_record import CordonTools
from agent.enrol import PINNED_ROOT
from agent.journal import Journal
from agent.lock import FolderInUse, FolderLock, is_held
from agent.platforms.linux import Linux
from agent.records import StepRecord
from agent.standing import Standing, in_words
from agent.steps.table import Step
from agent.uplink_status import FILE_NAME, LineStanding, LineState, UplinkStatus, write_status
from agent.wire.contract import (
    CordonOrder,
    Direction,
    StepName,
    StepParams,
    StepReport,
    StepState,
    Target,
)
from agent.wire.profile import Profile
from tests.agent.fakes import (
    HOST,
    ROLLOUT,
    FakePackages,
    FakePeople,
    FakePlatform,
    Orders,
    config_of,
    profile_of,
)
from tests.agent.rig import Rig
from tests.agent.test_cordon import CODE, SEALED, WITH_CODE
from tests.agent.test_cordon_unit import with_unit
from tests.agent.test_platform_contract import UNIT, install_systemctl
from tests.until import until
from tests.wire.pki import TestCa

CONFIG = """host = "{host}"
state = "{state}"
[[coordinators]]
link = "127.0.0.1:9"
https = "https://127.0.0.1:9"

[people]
displays = []
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


def write_config(tmp_path: Path) -> Path:
    """Make the state folder of an agent that nobody answers; return its configuration."""
    state = tmp_path / "state"
    (state / PINNED_ROOT).parent.mkdir(parents=True)
    (state / PINNED_ROOT).write_text("{}")
    (state / "ca.pem").write_bytes(TestCa(tmp_path).certificate.read_bytes())
    file = state / "agent.toml"
    file.write_text(CONFIG.format(host=HOST, state=state))
    return file


@contextmanager
def running(config: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "agent", "run", "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"},
    ) as agent:
        try:
            until(lambda: (config.parent / FILE_NAME).exists() or agent.poll() is not None)
            assert agent.poll() is None, agent.stderr and agent.stderr.read()
            yield agent
        finally:
            agent.kill()


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def close_app(config: Path, order: CordonOrder, profile: Profile | None = None) -> None:
    """Put a cordon on, as a coordinator would have."""
    with closing(Journal.open(config.parent / "journal.sqlite")) as journal:
        tools = CordonTools(
            FakePlatform(),
            config_of(config.parent.parent),
            FakePackages(profile or profile_of()).profile,
            FakePeople(),
        )
        Cordon(journal, tools).apply(order)


def test_the_agent_runs_and_ends_in_order_when_asked(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(config) as agent:
        assert main(["status", "--config", str(config)]) == 0
        assert f"This PC is {HOST}; its agent runs." in said(capsys)[0]
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(20) == 0
    lines = (config.parent / "log" / "agent.log").read_text("utf-8").splitlines()
    assert json.loads(lines[-1])["what"] == "agent stopped"
    assert not is_held(config.parent)


def test_a_second_agent_on_one_folder_says_so_and_ends(config: Path) -> None:
    with running(config) as agent:
        second = subprocess.run(
            [sys.executable, "-m", "agent", "run", "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 2
        assert f"the agent with pid {agent.pid} does" in second.stderr
        assert agent.poll() is None


def test_a_killed_agent_leaves_no_lock_behind(config: Path) -> None:
    with running(config) as agent:
        agent.kill()
        agent.wait(10)
    FolderLock(config.parent).close()


def test_one_lock_a_folder(tmp_path: Path) -> None:
    with closing(FolderLock(tmp_path)):
        assert is_held(tmp_path)
        with pytest.raises(FolderInUse, match=f"pid {os.getpid()}"):
            FolderLock(tmp_path)
    assert not is_held(tmp_path)


def test_a_journal_that_cannot_be_used_is_told(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "journal.sqlite").write_bytes(b"no database" * 1000)
    for verb in ("run", "status", "uncordon"):
        assert main([verb, "--config", str(config)]) == 2
        assert "it is damaged" in said(capsys)[1]


def test_a_config_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in ("run", "status", "uncordon"):
        assert main([verb, "--config", str(tmp_path / "agent.toml")]) == 2
        assert "this host is not enrolled" in said(capsys)[1]


def test_status_tells_links_cordon_and_last_steps(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    close_app(config, SEALED)
    refused = LineStanding("c.lan:7701", LineState.REFUSED, 1.7e9, None, "enrol this PC again")
    write_status(config.parent / FILE_NAME, UplinkStatus((refused,)))
    step = Step(StepName.APPLY_RELEASE, lambda _: None)
    rig = Rig(config.parent.parent, {step.name: step})
    rig.take(Orders().start())
    record = rig.journal.step(Orders().start().step_id, Orders().start().direction)
    rig.off()
    assert record is not None
    with (
        closing(Journal.open(config.parent / "journal.sqlite")) as journal,
        closing(FolderLock(config.parent)),
    ):
        journal.put_step(record)
        assert main(["status", "--config", str(config)]) == 1
    told = said(capsys)[0]
    assert "Coordinator c.lan:7701: not linked: refused" in told
    assert "(enrol this PC again)" in told
    assert f"bench-app is kept closed until the rollout opens it, by rollout {ROLLOUT}" in told
    assert "apply-release: done" in told


def test_a_step_that_was_taken_back_is_told_in_plain_words(tmp_path: Path) -> None:
    report = StepReport("R/pc/back-up", Direction.UNDO, StepState.DONE)
    record = StepRecord(report, StepParams(Target("p", "0" * 64)), 1, 1.7e9, touched=True)
    told = in_words(Standing("pc", runs=True, links=(), cordon=None, steps=(record,)))
    assert "back-up, taken back: done" in told
    tidied = replace(record, report=replace(report, direction=Direction.TIDY))
    told = in_words(Standing("pc", runs=True, links=(), cordon=None, steps=(tidied,)))
    assert "back-up, tidied up: done" in told


def test_status_for_programs_is_one_object(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--json", "--config", str(config)]) == 1  # it does not run
    told = json.loads(said(capsys)[0])
    assert (told["host"], told["runs"], told["cordon"], told["steps"]) == (HOST, False, None, [])


def test_an_administrator_opens_a_sealed_host(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    close_app(config, SEALED)
    assert main(["uncordon", "--config", str(config)]) == 0
    assert "may be opened again" in said(capsys)[0]
    assert main(["uncordon", "--config", str(config)]) == 0
    assert "Nothing is kept closed" in said(capsys)[0]
    assert main(["status", "--config", str(config)]) == 1
    assert "bench-app was opened here by administrator" in said(capsys)[0]


def test_the_service_of_what_is_opened_is_started_and_named(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Linux(install_systemctl(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    close_app(config, SEALED, with_unit())
    assert main(["uncordon", "--config", str(config)]) == 0
    assert f"Its service {UNIT} was started." in said(capsys)[0]
    assert platform.services.main_process(UNIT)
    platform.services.stop(UNIT)


def test_the_one_time_code_opens_a_sealed_host(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    close_app(config, WITH_CODE)
    assert main(["uncordon", "--config", str(config), "--code", "ZZZZ-ZZZZ-ZZZZ"]) == 1
    assert "this is not the code" in said(capsys)[1]
    assert main(["uncordon", "--config", str(config), "--code", CODE]) == 0


def test_who_opens_a_host_reads_sentences_and_nothing_of_the_log(config: Path) -> None:
    close_app(config, WITH_CODE)
    words = ["uncordon", "--config", str(config), "--code", CODE]
    ended = subprocess.run(
        [sys.executable, "-m", "agent", *words], capture_output=True, check=True
    )
    assert ended.stderr == b""
    assert ended.stdout.startswith(b"The app may be opened again on this PC.")


def test_a_seal_holds_from_the_agents_start_and_ends_when_it_is_opened(config: Path) -> None:
    app = config.parent.parent / "app" / "bin" / "app"
    close_app(config, SEALED)
    app.parent.mkdir(parents=True)
    app.write_text(f"#!{sys.executable}\nimport signal; signal.pause()\n")
    app.chmod(0o755)
    with running(config):
        with subprocess.Popen([str(app)]) as relaunched:
            assert relaunched.wait(20) == -signal.SIGTERM
        assert main(["uncordon", "--config", str(config)]) == 0
        with subprocess.Popen([str(app)]) as relaunched:
            with pytest.raises(subprocess.TimeoutExpired):
                relaunched.wait(1)
            relaunched.kill()


def test_enrolment_that_cannot_be_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enrol", "no-token", "--state", str(tmp_path)]) == 2
    assert "error: cannot enrol this PC" in said(capsys)[1]
