"""The desktop program ends with its service, with its screen, and at words it does not know."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.session.messages import Lacks, Seen
from agent.wire.notices import Blind, Notice, NoticeKind
from tests.desktop.people import Hands, Service
from tests.desktop.screens import environment_of, x_server

AHEAD = Notice(NoticeKind.AHEAD, "Office Maker", seconds_left=7200)


def test_a_desktop_program_without_its_service_ends_at_once(display: str) -> None:
    with Service(display) as service:
        service.hear(Seen)
        service.link.close()
        assert service.process.wait(1) == 0


def test_a_notice_that_is_up_does_not_keep_it(display: str, hands: Hands) -> None:
    with Service(display) as service:
        service.show(AHEAD)
        hands.notice(service)
        service.link.close()
        assert service.process.wait(1) == 0


@pytest.mark.parametrize("line", [b"garbage\n", b'{"run": {}}\n', b"x" * 10_000_000])
def test_a_service_that_is_not_understood_ends_it(display: str, line: bytes) -> None:
    with Service(display) as service:
        service.hear(Seen)
        with contextlib.suppress(OSError):  # it may go before it has heard the rest
            service.link.sendall(line)
        assert service.process.wait(10) == 2


def test_it_ends_with_its_screen() -> None:
    with x_server() as display:
        service = Service(display)
        service.show(AHEAD)
        service.hear(Seen)
    with service:
        assert service.process.wait(10) != 0


def test_a_screen_that_cannot_be_opened_is_told_as_that() -> None:
    with Service(":9999") as service:
        assert service.hear(Lacks) == Lacks(Blind.NO_DISPLAY)
        assert "cannot open this desktop's screen" in service.said_at_its_end()


def test_a_desktop_without_any_x11_is_told_as_that() -> None:
    with Service("", WAYLAND_DISPLAY="wayland-0") as service:
        assert service.hear(Lacks) == Lacks(Blind.UNSEEN)


def test_without_tkinter_it_says_what_to_install(display: str, tmp_path: Path) -> None:
    (tmp_path / "tkinter.py").write_text("raise ImportError('No module named _tkinter')\n")
    with Service(display, PYTHONPATH=str(tmp_path)) as service:
        assert service.hear(Lacks) == Lacks(Blind.NO_TKINTER)
        assert "apt-get install python3-tk" in service.said_at_its_end()


def test_it_goes_when_it_is_asked_to(display: str) -> None:
    with Service(display) as service:
        service.hear(Seen)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("arguments", [[], ["x"], ["-1"], ["3", "4"], ["999999"]])
def test_started_by_hand_it_says_that_it_is_not_for_that(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "agent.session", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert ran.returncode == 2
    assert ran.stderr.startswith("roundsman: ")
    assert "Traceback" not in ran.stderr


def test_a_pipe_in_place_of_a_socket_is_refused() -> None:
    readable, writable = os.pipe()
    command = [sys.executable, "-m", "agent.session", str(readable)]
    env = environment_of("")
    ran = subprocess.run(
        command, pass_fds=[readable], env=env, capture_output=True, check=False, timeout=20
    )
    os.close(readable)
    os.close(writable)
    assert ran.returncode == 2
