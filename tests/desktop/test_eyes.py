"""What the desktop program sees on a real screen, of real programs."""

import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

from Xlib import Xatom

from agent.session.messages import BEAT_SECONDS, Seen
from tests.desktop.people import Hands, Service, app, as_user
from tests.desktop.screens import desktop, x_server
from tests.until import until


def test_a_program_with_a_window_is_seen_until_it_has_gone(display: str) -> None:
    with Service(display) as service:
        with app(display) as process:
            pid = process.pid
            assert pid not in service.sees(lambda seen: pid in seen.windows).asking
        service.sees(lambda seen: pid not in seen.windows)


def test_an_unsaved_work_question_is_seen_and_its_answer_too(display: str, hands: Hands) -> None:
    with Service(display) as service, app(display, "--unsaved") as process:
        pid = process.pid
        hands.screen.press_cross({pid})
        service.sees(lambda seen: pid in seen.asking)
        hands.press("Return")
        service.sees(lambda seen: pid not in seen.asking and pid not in seen.windows)


def test_a_window_made_an_icon_is_a_window(display: str) -> None:
    with Service(display) as service, app(display, "--iconic") as process:
        service.sees(lambda seen: process.pid in seen.windows)


def test_a_program_whose_only_window_is_hidden_has_none(display: str) -> None:
    with Service(display) as service, app(display, "--hidden") as process, app(display) as shown:
        seen = service.sees(lambda seen: shown.pid in seen.windows)
        assert process.pid not in seen.windows


def test_an_icon_in_the_tray_is_no_window(display: str) -> None:
    with app(display, "--tray-itself") as tray, Hands(display) as hands:
        until(lambda: hands.windows_of(tray))
        place = tray_place(tray)
        with Service(display) as service, app(display, "--tray", place) as process:
            seen = service.sees(lambda seen: tray.pid in seen.windows)
            assert process.pid not in seen.windows


def tray_place(tray: "subprocess.Popen[bytes]") -> str:
    assert tray.stdout
    return tray.stdout.readline().decode().split()[1]


def test_what_is_seen_is_said_again_though_nothing_changes(display: str) -> None:
    with Service(display) as service:
        first, second = service.hear(Seen), service.hear(Seen)
        same = replace(second, idle_seconds=first.idle_seconds)
        assert same == first
    assert BEAT_SECONDS < 5


def test_its_own_notices_are_not_among_what_is_seen(display: str) -> None:
    with Service(display) as service:
        assert service.process.pid not in service.hear(Seen).windows


def test_somebody_who_types_is_not_idle(display: str, hands: Hands) -> None:
    with Service(display) as service:
        service.sees(lambda seen: seen.idle_seconds > BEAT_SECONDS + 1)
        hands.press("a")
        service.sees(lambda seen: seen.idle_seconds < BEAT_SECONDS + 1)


def test_a_window_that_names_no_process_is_found_by_the_server_s_word(
    display: str, hands: Hands
) -> None:
    with app(display) as process:
        window = hands.window(hands.window_of(process).id)
        window.delete_property(hands.atom("_NET_WM_PID"))
        hands.flush()
        until(lambda: hands.windows_of(process))


def test_a_window_names_its_process_and_only_one_of_this_machine_counts(
    display: str, hands: Hands
) -> None:
    with app(display) as process:
        top = hands.window_of(process)
        window = hands.window(top.id)
        window.change_property(hands.atom("_NET_WM_PID"), Xatom.CARDINAL, 32, [4242])
        window.set_wm_client_machine(socket.gethostname())
        hands.flush()
        until(lambda: replace(top, pid=4242) in hands.screen.tops())
        window.set_wm_client_machine(f"not-{socket.gethostname()}")
        hands.flush()
        until(lambda: not hands.screen.tops())


def test_a_screen_without_a_window_manager_is_seen_too() -> None:
    with x_server() as display, Service(display) as service, app(display) as process:
        service.sees(lambda seen: process.pid in seen.windows)
        with app(display, "--hidden") as hidden:
            assert hidden.pid not in service.hear(Seen).windows
        process.terminate()
        service.sees(lambda seen: process.pid not in seen.windows)


def test_a_desktop_that_hides_its_windows_is_told_as_one(display: str) -> None:
    with Service(display, WAYLAND_DISPLAY="wayland-0") as service:
        assert not service.hear(Seen).sees


def test_two_people_at_two_screens_each_see_their_own() -> None:
    mine, hers = as_user(20001), as_user(20002)
    with (
        desktop(before=mine) as one,
        desktop(before=hers) as two,
        Service(one, before=mine) as first,
        Service(two, "fr", before=hers) as second,
        app(one, before=mine) as ours,
        app(two, before=hers) as theirs,
    ):
        assert theirs.pid not in first.sees(lambda seen: ours.pid in seen.windows).windows
        assert ours.pid not in second.sees(lambda seen: theirs.pid in seen.windows).windows
        users = [20001, 20002] if os.geteuid() == 0 else [os.geteuid()] * 2
        assert [owner_of(process) for process in (first.process, theirs)] == users


def owner_of(process: "subprocess.Popen[bytes]") -> int:
    return Path(f"/proc/{process.pid}").stat().st_uid
