"""A whole agent and a real desktop: who opens the app is told at once, and the code opens it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agent.cordon import LOOK_SECONDS
from agent.session.tops import Top
from tests.agent.test_cordon import CODE, WITH_CODE
from tests.agent.test_main import close_app, running, write_config
from tests.desktop.people import Hands
from tests.desktop.screens import desktop, environment_of, picture, text_of
from tests.until import until


@pytest.fixture
def closed_app(tmp_path: Path) -> Path:
    """Return an app that its host is to keep closed."""
    app = tmp_path / "app" / "bin" / "app"
    app.parent.mkdir(parents=True)
    shutil.copy("/bin/sleep", app)
    return app


@contextmanager
def agent_on(display: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    config = write_config(folder)
    config.write_text(config.read_text().replace("displays = []", f'displays = ["{display}"]'))
    close_app(config, WITH_CODE)
    with running(config) as agent:
        yield agent


def notices(hands: Hands) -> list[Top]:
    return list(hands.screen.tops())


def opened(app: Path, display: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([app, "60"], env=environment_of(display))


def _lives_on(app: Path, display: str) -> bool:
    """Start it; return True when nobody has closed it after many looks of the guard."""
    with opened(app, display) as process:
        try:
            process.wait(5 * LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
        return False


def test_who_opens_a_closed_app_sees_why_and_may_open_it_with_the_code(
    tmp_path: Path, closed_app: Path
) -> None:
    with desktop() as display, Hands(display) as hands, agent_on(display, tmp_path) as agent:
        with opened(closed_app, display) as first:
            first.wait(20)
        until(lambda: len(notices(hands)) == 1, 20, "the notice")
        (window,) = notices(hands)
        assert window.pid != agent.pid, "the service itself never touches a window"
        hands.is_still(window)
        assert "Bench App" in text_of(picture(display, "whole-agent", window.id))
        hands.click_button(window, 0)
        hands.activate(window)
        hands.press(*CODE.lower().replace("-", ""), "Return")
        until(lambda: _lives_on(closed_app, display), 20, "the code opened it")
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(20) == 0
        until(lambda: not notices(hands), what="its notices end with the agent")


def test_a_killed_agents_notice_does_not_stay_on_the_screen(
    tmp_path: Path, closed_app: Path
) -> None:
    with desktop() as display, Hands(display) as hands, agent_on(display, tmp_path) as agent:
        with opened(closed_app, display) as first:
            first.wait(20)
        until(lambda: notices(hands), 20, "the notice")
        agent.kill()
        until(lambda: not notices(hands))


def test_a_loop_of_relaunches_is_one_window_on_the_screen(
    tmp_path: Path, closed_app: Path
) -> None:
    with desktop() as display, Hands(display) as hands, agent_on(display, tmp_path):
        seen: list[int] = []
        for _ in range(2):  # the second time it is up already
            with ExitStack() as held:
                opens = [held.enter_context(opened(closed_app, display)) for _ in range(60)]

                def is_told(opens: Sequence["subprocess.Popen[bytes]"] = opens) -> bool:
                    seen.append(len(notices(hands)))
                    return all(one.poll() is not None for one in opens) and seen[-1] > 0

                until(is_told, 30, "all are closed, and the notice")
            assert {one.returncode for one in opens} <= {-signal.SIGTERM, -signal.SIGKILL}
        hands.is_still(notices(hands)[0])
        assert max(*seen, len(notices(hands))) == 1


def test_who_ends_the_program_that_shows_the_notices_does_not_get_past_the_guard(
    tmp_path: Path, closed_app: Path
) -> None:
    with desktop() as display, Hands(display) as hands, agent_on(display, tmp_path):
        with opened(closed_app, display) as first:
            first.wait(20)
        until(lambda: notices(hands), 20, "the notice")
        (shown,) = notices(hands)
        os.kill(shown.pid, signal.SIGKILL)
        assert not _lives_on(closed_app, display)
        until(lambda: notices(hands), 30, "the notice is back")
        assert notices(hands)[0].pid != shown.pid
