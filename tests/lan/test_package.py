"""The agent's Debian package on a workstation: installed, replaced, removed, purged."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.enrol import PINNED_ROOT
from agent.journal import Journal
from agent.programs import Programs
from agent.records import CordonRecord, StepRecord
from agent.wire.contract import CordonMode, Direction, StepName, StepReport, StepState
from tests.agent.fakes import FENCE, HOST, PARAMS, PROFILE, ROLLOUT, step_id
from tests.agent.test_main import CONFIG
from tests.lan.box import Box, Host
from tests.lan.package import package
from tests.lan.settings import PROJECT
from tests.until import until
from tests.wire.pki import TestCa

_NAME = "roundsman-agent"
_STATE = "/var/lib/roundsman"
_APP = Path("/opt/bench-app/bin/app")
_LAST_ROLLOUT = "7" + "Z" * 25  # no agent forgets it: it is of the year 10889
_EVIL = "print('a file of the user was run'); raise SystemExit(9)\n"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with Box(1) as box:
        yield box


@pytest.fixture
def host(box: Box) -> Iterator[Host]:
    host = box.hosts["h1"]
    shutil.copy(package(), host.root / "root/agent.deb")
    yield host
    host.run("rm", "-f", f"{_STATE}/agent.toml")
    host.run("dpkg", "--purge", _NAME)
    host.run("rm", "-rf", str(_APP.parents[1]), "/opt/roundsman")


@pytest.fixture
def installed(host: Host) -> Host:
    _install(host)
    return host


@pytest.fixture
def running(installed: Host, tmp_path: Path) -> Host:
    """An agent whose coordinator does not answer."""
    state = _state(installed)
    (state / PINNED_ROOT).parent.mkdir()
    (state / PINNED_ROOT).write_text("{}")
    shutil.copy(TestCa(tmp_path).certificate, state / "ca.pem")
    (state / "agent.toml").write_text(CONFIG.format(host=HOST, state=_STATE))
    installed.run("systemctl", "start", _NAME)
    return installed


def _state(host: Host) -> Path:
    return host.root / _STATE.lstrip("/")


def _install(host: Host) -> str:
    return host.run("dpkg", "--install", "/root/agent.deb").stdout


def _pid(host: Host) -> str:
    """Return the pid of the agent that systemd takes care of; "0" for none."""
    return host.run("systemctl", "show", "--property=MainPID", "--value", _NAME).stdout.strip()


def _journal(host: Host) -> Journal:
    return Journal.open(_state(host) / "journal.sqlite")


def _seal(host: Host) -> None:
    """Have an app kept closed, as a rollout would."""
    programs = Programs(str(_APP.parents[1]), ("bin/app",))
    nothing = Programs(str(_APP.parents[1]), ())
    sealed = CordonMode.SEALED
    with closing(_journal(host)) as journal:
        journal.put_cordon(
            CordonRecord(ROLLOUT, PROFILE, "bench-app", sealed, FENCE, programs, nothing, 0.0)
        )


def _set_step(host: Host, state: StepState) -> None:
    report = StepReport(step_id(StepName.BACK_UP, _LAST_ROLLOUT), Direction.DO, state, 1)
    with closing(_journal(host)) as journal:
        journal.put_step(StepRecord(report, PARAMS, journal.next_run(), time.time()))


def _open_app(host: Host) -> subprocess.Popen[bytes]:
    if not (host.root / _APP.relative_to("/")).exists():
        host.run("install", "-D", "/usr/bin/sleep", str(_APP))
    return host.spawn(str(_APP), "600", user="alice")


def _is_closed(app: subprocess.Popen[bytes]) -> None:
    until(lambda: app.poll() is not None, 20, "the guard closes the app")


def test_what_is_installed_is_roots_and_nobody_elses_to_write(installed: Host) -> None:
    files = installed.run("dpkg", "--listfiles", _NAME).stdout.split("\n")
    ours = [file for file in files if "roundsman" in file and "/doc/" not in file]  # as the image
    assert len(ours) > 500
    stat = installed.run("stat", "--format=%U:%G %A %n", *ours).stdout.splitlines()
    assert [line for line in stat if not line.startswith("root:root ")] == []
    modes = [line.split()[1] for line in stat]
    assert [mode for mode in modes if mode[0] != "l" and "w" in mode[4:]] == []
    private = installed.run("stat", "--format=%U:%G %a", _STATE).stdout
    assert private == "root:root 700\n"


def test_nothing_of_the_coordinator_is_on_a_workstation(installed: Host) -> None:
    found = installed.run("ls", "/opt/roundsman/lib/python3.11/site-packages").stdout.split()
    assert "agent" in found
    assert not {"coordinator", "dbos", "sqlalchemy", "typer", "pip", "bin"} & set(found)
    assert (installed.root / "opt/roundsman/bin/roundsman-agent").exists()


def test_a_workstation_that_is_not_enrolled_is_told_what_to_type_next(host: Host) -> None:
    said = _install(host)
    assert "roundsman-agent enrol TOKEN && systemctl start roundsman-agent" in said
    host.run("systemctl", "start", _NAME)
    assert _pid(host) == "0"
    assert host.run("systemctl", "is-enabled", _NAME).stdout == "enabled\n"
    assert host.run("systemctl", "is-failed", _NAME, check=False).stdout == "inactive\n"


@pytest.mark.parametrize("user", ["root", "alice"])
def test_every_user_can_run_it_and_is_told_in_words_what_cannot_be(
    installed: Host, user: str
) -> None:
    assert "uncordon" in installed.run("roundsman-agent", "--help", user=user).stdout
    status = installed.run("roundsman-agent", "status", user=user, check=False)
    assert status.returncode == 2
    why = {"root": "not there, so this host is not enrolled", "alice": "as administrator"}
    assert why[user] in status.stderr


def test_status_says_where_an_enrolled_workstation_stands_to_root_alone(running: Host) -> None:
    assert f"This PC is {HOST}; its agent runs." in running.run("roundsman-agent", "status").stdout
    status = running.run("roundsman-agent", "status", user="alice", check=False)
    assert (status.returncode, status.stdout) == (2, "")


def test_nothing_of_a_users_environment_is_run(installed: Host) -> None:
    trap = installed.root / "home/alice/trap"
    (trap / "agent").mkdir(parents=True)
    for name in ("json.py", "sitecustomize.py", "usercustomize.py", "agent/__init__.py"):
        (trap / name).write_text(_EVIL)
    site = installed.root / "home/alice/.local/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    (site / "evil.pth").write_text("import os; os._exit(9)\n")
    word = "cd /home/alice/trap && PYTHONPATH=. PYTHONHOME=. PYTHONSTARTUP=json.py"
    said = installed.run("sh", "-c", f"{word} roundsman-agent --version", user="alice")
    shutil.rmtree(trap)
    assert said.stdout[:1].isdigit()


def test_notices_can_be_shown_in_french(installed: Host) -> None:
    words = "import agent.session.words as w; print(w.__file__)"
    file = installed.run("/opt/roundsman/bin/python3", "-I", "-c", words).stdout.strip()
    catalog = Path(file).parent / "locale/fr/LC_MESSAGES/roundsman.mo"
    assert (installed.root / str(catalog).lstrip("/")).stat().st_size > 1000


def test_an_upgrade_restarts_the_agent_and_leaves_its_state(running: Host) -> None:
    before = _pid(running)
    _install(running)
    assert _pid(running) not in {"0", before}
    said = running.run("journalctl", "--unit", _NAME, "--output", "cat").stdout
    assert '"agent stopped"' in said


def test_an_upgrade_waits_for_the_end_of_a_step(running: Host) -> None:
    before = _pid(running)
    _set_step(running, StepState.RUNNING)
    prerm = f"/var/lib/dpkg/info/{_NAME}.prerm"
    refused = running.run(prerm, "failed-upgrade", "0.1.0", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no upgrade now: the agent is in the middle of the step" in refused.stderr
    upgrade = running.spawn("dpkg", "--install", "/root/agent.deb")
    until(lambda: "let-go" in running.run("ps", "-e", "-o", "args").stdout)
    assert _pid(running) == before
    _set_step(running, StepState.DONE)
    assert upgrade.wait(60) == 0
    assert _pid(running) not in {"0", before}


def test_an_upgrade_keeps_closed_what_is_kept_closed(running: Host) -> None:
    _seal(running)
    running.run("systemctl", "restart", _NAME)
    _is_closed(_open_app(running))
    _install(running)
    _is_closed(_open_app(running))
    with closing(_journal(running)) as journal:
        state = journal.cordon()
    assert state is not None
    assert state.record.mode is CordonMode.SEALED


@pytest.mark.parametrize("way", ["--remove", "--purge"])
def test_an_agent_that_keeps_an_app_closed_is_not_removed_until_it_is_opened(
    running: Host, way: str
) -> None:
    _seal(running)
    running.run("systemctl", "restart", _NAME)
    refused = running.run("dpkg", way, _NAME, check=False)
    assert refused.returncode != 0
    assert f"bench-app is kept closed here by rollout {ROLLOUT}" in refused.stderr
    assert _pid(running) != "0"
    _is_closed(_open_app(running))
    running.run("roundsman-agent", "uncordon")
    running.run("dpkg", way, _NAME)


def test_an_agent_with_a_broken_journal_is_removed_only_by_who_means_it(running: Host) -> None:
    running.run("systemctl", "stop", _NAME)
    (_state(running) / "journal.sqlite").write_text("rubbish, and no database at all")
    refused = running.run("dpkg", "--remove", _NAME, check=False)
    assert refused.returncode != 0
    assert f"mv {_STATE}/agent.toml {_STATE}/agent.toml.before" in refused.stderr
    _install(running)  # what is broken can be replaced
    running.run("mv", f"{_STATE}/agent.toml", f"{_STATE}/agent.toml.before")
    running.run("dpkg", "--remove", _NAME)


def test_removed_and_installed_again_it_is_the_same_member(running: Host) -> None:
    running.run("dpkg", "--remove", _NAME)
    assert not (running.root / "opt/roundsman").exists()
    assert (_state(running) / "agent.toml").exists()
    assert running.run("pgrep", "-f", "/opt/roundsman", check=False).stdout == ""
    _install(running)
    assert _pid(running) != "0"


def test_purged_nothing_is_left_of_it(running: Host) -> None:
    running.run("dpkg", "--purge", _NAME)
    running.run("rm", "/root/agent.deb")
    assert running.run("find", "/", "-xdev", "-name", "*roundsman*").stdout == ""
    assert running.run("systemctl", "is-enabled", _NAME, check=False).returncode != 0


def test_a_disabled_agent_stays_disabled_after_an_upgrade(running: Host) -> None:
    running.run("systemctl", "disable", "--now", _NAME)
    _install(running)
    assert _pid(running) == "0"
    assert "disabled" in running.run("systemctl", "is-enabled", _NAME, check=False).stdout


def test_what_was_made_by_hand_is_not_overwritten(host: Host) -> None:
    host.run("install", "-D", "/etc/hostname", "/opt/roundsman/pyvenv.cfg")
    refused = host.run("dpkg", "--install", "/root/agent.deb", check=False)
    assert refused.returncode != 0
    assert "mv /opt/roundsman /opt/roundsman-before" in refused.stderr
    assert (host.root / "opt/roundsman/pyvenv.cfg").read_text() == "h1\n"


def test_it_guards_before_anybody_can_log_in_after_a_power_cut(running: Host) -> None:
    _seal(running)
    running.power_off()
    running.power_on()
    until(lambda: _pid(running) != "0", 20, "the agent runs again")
    _is_closed(_open_app(running))


def _copied(folder: Path) -> Path:
    """Return a copy of what a package is made of."""
    for name in ("agent", "deploy"):
        shutil.copytree(PROJECT / name, folder / name)
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy2(PROJECT / name, folder)
    (folder / "build").mkdir()
    (folder / "build/wheels").symlink_to(PROJECT / "build/wheels")
    return folder


def _built_in(folder: Path) -> bytes:
    command = [str(folder / "deploy/deb.sh"), sys.executable]
    made = subprocess.run(command, check=True, timeout=170, capture_output=True, text=True)
    return (folder / made.stdout.strip()).read_bytes()


@pytest.mark.thorough
def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    package()  # which has fetched what is packed
    one = _copied(tmp_path / "one")
    two = shutil.copytree(one, tmp_path / "elsewhere/two", symlinks=True)
    assert _built_in(one) == _built_in(two)
