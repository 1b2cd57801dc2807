"""Windows are closed as their user would: by their cross, never by force."""

import subprocess

from agent.session.messages import CloseWindows, Seen
from tests.desktop.people import Hands, Service, app
from tests.desktop.screens import x_server
from tests.until import until


def words_of(process: "subprocess.Popen[bytes]", until_word: str) -> list[str]:
    """Return what the program wrote, up to this word."""
    words: list[str] = []
    assert process.stdout
    while not words or words[-1] != until_word:
        line = process.stdout.readline().decode().strip()
        assert line, f"it ended after {words}"
        words.append(line)
    return words


def test_a_window_is_closed_by_its_cross(display: str) -> None:
    with Service(display) as service, app(display) as process:
        service.sees(lambda seen: process.pid in seen.windows)
        service.send(CloseWindows((process.pid,)))
        assert words_of(process, "closed") == ["asked", "closed"]
        assert process.wait(10) == 0


def test_without_a_window_manager_the_window_itself_is_asked() -> None:
    with x_server() as display, Service(display) as service, app(display) as process:
        service.sees(lambda seen: process.pid in seen.windows)
        service.send(CloseWindows((process.pid,)))
        assert process.wait(10) == 0


def test_a_program_that_asks_about_unsaved_work_is_not_asked_again(
    display: str, hands: Hands
) -> None:
    with Service(display) as service, app(display, "--unsaved") as process:
        service.sees(lambda seen: process.pid in seen.windows)
        service.send(CloseWindows((process.pid,)))
        service.sees(lambda seen: process.pid in seen.asking)
        service.send(CloseWindows((process.pid,)))
        service.hear(Seen)
        assert process.poll() is None
        hands.press("Return")
        assert words_of(process, "closed") == ["asked", "saved", "closed"]


def test_a_program_that_ignores_its_cross_lives_on(display: str) -> None:
    with Service(display) as service, app(display, "--stubborn") as process:
        service.send(CloseWindows((process.pid,)))
        words_of(process, "asked")
        service.hear(Seen)
        assert process.poll() is None


def test_a_window_without_a_cross_is_not_killed(display: str, hands: Hands) -> None:
    with Service(display) as service, app(display) as process:
        hands.window(hands.window_of(process).id).delete_property(hands.atom("WM_PROTOCOLS"))
        hands.flush()
        until(lambda: not hands.window_of(process).deletable)
        service.send(CloseWindows((process.pid,)))
        service.hear(Seen)
        service.hear(Seen)
        assert process.poll() is None


def test_a_window_made_an_icon_is_closed_too(display: str) -> None:
    with Service(display) as service, app(display, "--iconic") as process:
        service.sees(lambda seen: process.pid in seen.windows)
        service.send(CloseWindows((process.pid,)))
        assert process.wait(10) == 0


def test_a_program_that_comes_back_by_itself_is_seen_and_closed_again(display: str) -> None:
    with Service(display) as service, app(display, "--relaunch") as process:
        for _ in range(3):
            service.sees(lambda seen: process.pid in seen.windows)
            service.send(CloseWindows((process.pid,)))
            words_of(process, "closed")
            service.sees(lambda seen: process.pid not in seen.windows)


def test_processes_without_a_window_are_let_be(display: str) -> None:
    with Service(display) as service, app(display) as other:
        service.sees(lambda seen: other.pid in seen.windows)
        for pids in ((), (1,), (2**31,)):
            service.send(CloseWindows(pids))
        service.hear(Seen)
        assert other.pid in service.hear(Seen).windows
