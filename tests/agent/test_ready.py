"""systemd hears that the guard is up only when it is; a real socket stands for systemd."""

import configparser
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.ready import tell_ready, told_ready
from tests.agent.test_cordon import SEALED
from tests.agent.test_main import close_app, running, write_config
from tests.until import until

UNIT = Path(__file__).parents[2] / "deploy" / "roundsman-agent.service"


class Systemd:
    """The end of the socket that systemd reads."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(20)

    def heard(self) -> bytes:
        return self._socket.recv(4096)

    def has_heard(self) -> bool:
        self._socket.setblocking(False)
        try:
            return bool(self._socket.recv(4096, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self._socket.settimeout(20)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    end = Systemd(address)
    yield end
    end.close()


def test_it_is_told_when_what_comes_first_is_done(systemd: Systemd) -> None:
    with told_ready():
        assert not systemd.has_heard()
    assert systemd.heard() == b"READY=1"


def test_nobody_is_kept_from_logging_in_by_a_recovery_that_takes_long(systemd: Systemd) -> None:
    over = threading.Event()
    with told_ready(patience=0.05):
        until(systemd.has_heard)
        over.set()
    assert over.is_set()


def test_what_fails_is_not_called_ready(systemd: Systemd) -> None:
    with pytest.raises(OSError, match="no disk"), told_ready():
        raise OSError("no disk")
    assert not systemd.has_heard()


def test_what_is_started_meanwhile_is_not_told_whom_to_tell(systemd: Systemd) -> None:
    with told_ready():
        assert "NOTIFY_SOCKET" not in os.environ  # systemd would complain of each systemctl
    assert systemd.heard() == b"READY=1"


def test_an_address_without_a_file_is_understood() -> None:
    name = f"roundsman-test-{os.getpid()}"
    end = Systemd(f"\0{name}")
    tell_ready(f"@{name}")
    assert end.heard() == b"READY=1"
    end.close()


@pytest.mark.parametrize("address", ["", "/no/such/socket", "x" * 500])
def test_where_nobody_listens_the_agent_goes_on(address: str) -> None:
    tell_ready(address)


def test_the_agent_is_ready_once_its_guard_has_closed_what_a_seal_forbids(
    config: Path, systemd: Systemd
) -> None:
    app = config.parent.parent / "app" / "bin" / "app"
    close_app(config, SEALED)
    app.parent.mkdir(parents=True)
    app.write_text(f"#!{sys.executable}\nimport signal; signal.pause()\n")
    app.chmod(0o755)
    with subprocess.Popen([str(app)]) as relaunched, running(config):
        assert systemd.heard() == b"READY=1"
        assert relaunched.wait(20) != 0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


def test_the_unit_comes_before_log_in_and_never_keeps_people_out_for_long() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(UNIT)
    before = unit["Unit"]["Before"].split()
    assert {"systemd-user-sessions.service", "display-manager.service"} <= set(before)
    assert unit["Service"]["Type"] == "notify"
    assert 20 < int(unit["Service"]["TimeoutStartSec"]) <= 60
    assert unit["Service"]["Restart"] == "always"
    assert "RequiredBy" not in unit["Install"]  # if it cannot start, log-in goes on


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "roundsman-agent"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = UNIT.read_text("utf-8").replace("/opt/roundsman/bin/roundsman-agent", str(program))
    (tmp_path / UNIT.name).write_text(text)
    judged = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    about = [line for line in judged.stderr.splitlines() if UNIT.name in line]
    assert about == []
