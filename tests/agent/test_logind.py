"""What logind tells while people log out: nobody vanishes because somebody else has."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.platforms.linux_logind import logins

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
# as the real one of systemd 252: it stops at the first session that is no more, and fails
LOGINCTL = """#!/bin/sh
folder="$(dirname "$0")"
case "$1" in
list-sessions)
    sed 's/^/  /; s/$/ 1000 alice seat0/' "$folder/listed"
    cp "$folder/then" "$folder/listed";;
show-session)
    shift
    for id; do
        [ "$id" = -p ] && exit 0
        [ -e "$folder/session.$id" ] || { echo "No session '$id' known" >&2; exit 1; }
        cat "$folder/session.$id"
    done;;
esac
"""


@pytest.fixture
def logind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have logind list these sessions, show those, and list others from then on."""
    program = tmp_path / "loginctl"
    program.write_text(LOGINCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def say(listed: str, shown: str, then: str) -> None:
        for file, ids in (("listed", listed), ("then", then)):
            (tmp_path / file).write_text("".join(f"{one}\n" for one in ids))
        for one in shown:
            about = f"Id={one}\nUser=100{one}\nClass=user\nType=tty\nActive=yes\nState=active\n\n"
            (tmp_path / f"session.{one}").write_text(about)

    return say


def ids() -> list[str] | None:
    """Return the sessions that are told."""
    found = logins()
    return None if found is None else [login.id for login in found]


def test_those_who_stay_are_told_while_others_log_out(logind: Callable[..., None]) -> None:
    logind("123", shown="13", then="13")
    assert ids() == ["1", "3"]


def test_when_the_last_logs_out_nobody_is_there(logind: Callable[..., None]) -> None:
    logind("1", shown="", then="")
    assert ids() == []


def test_a_session_that_is_there_and_not_shown_is_no_log_out(
    logind: Callable[..., None],
) -> None:
    logind("12", shown="1", then="12")
    assert ids() is None
