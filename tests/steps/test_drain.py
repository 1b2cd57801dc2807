import subprocess
import threading
from dataclasses import replace

import pytest

from agent.platforms.base import CloseRung
from agent.steps.closing import rungs
from agent.steps.drain import drain
from agent.steps.table import Refused
from agent.wire.contract import Refusal, StepName
from agent.wire.notices import NoticeKind
from tests.steps.bench import STUBBORN, Bench, SmallWork, script
from tests.until import until


def _drain(bench: Bench, **params: object) -> SmallWork:
    work = bench.work(StepName.DRAIN, **params)
    drain(work)
    return work


def _open_stubborn(bench: Bench) -> subprocess.Popen[bytes]:
    ready = bench.root / "ready"
    code = STUBBORN.replace("signal.pause()", f"open({str(ready)!r}, 'w').close()\nsignal.pause()")
    (bench.app / "bin/app").write_bytes(script(code))
    child = bench.open_app()
    until(ready.exists)
    return child


def test_nobody_there_means_nobody_is_told(bench: Bench) -> None:
    work = _drain(bench, grace_seconds=600.0)

    assert bench.people.notices == []
    assert work.facts == {"open_at_first": "", "closed_by": ""}


def test_it_ends_the_moment_the_last_has_closed(bench: Bench) -> None:
    child = bench.open_app()

    def leave() -> None:
        bench.people.heard.wait(10)
        child.kill()
        child.wait()

    person = threading.Thread(target=leave)
    person.start()
    work = _drain(bench, grace_seconds=3600.0)
    person.join()

    assert work.facts["closed_by"] == "by-itself 1"
    assert f"pid {child.pid}" in work.facts["open_at_first"]
    assert bench.people.hushed == 1


def test_the_notice_counts_down_and_says_who_and_why(bench: Bench) -> None:
    bench.open_app()

    _drain(bench, grace_seconds=4.0, notice="Update at noon", asked_by="Lea")

    told = {(n.kind, n.title, n.version, n.message, n.asked_by) for n in bench.people.notices}
    left = [notice.seconds_left for notice in bench.people.notices]
    assert told == {(NoticeKind.CLOSE, "Bench App", "1.1", "Update at noon", "Lea")}
    assert left == sorted(left, reverse=True)
    assert left[0] <= 4.0


def test_at_the_end_of_the_grace_period_what_is_open_is_closed(bench: Bench) -> None:
    one, other, updater = bench.open_app(), bench.open_app(), bench.open_app("bin/updater")

    work = _drain(bench, grace_seconds=1.0)

    assert work.facts["closed_by"] == "terminate 3"
    assert [child.wait() for child in (one, other, updater)] == [-15] * 3
    assert bench.running() == {}


def test_other_programs_are_left_alone(bench: Bench) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        _drain(bench)
        assert other.poll() is None
        other.kill()


def test_what_does_not_close_is_named_and_not_killed_when_the_profile_forbids_it(
    bench: Bench,
) -> None:
    child = _open_stubborn(bench)

    with pytest.raises(Refused) as refused:
        _drain(bench)

    assert refused.value.refusal is Refusal.APP_STILL_OPEN
    assert f"pid {child.pid}" in str(refused.value)
    assert child.poll() is None
    assert bench.people.hushed == 1


def test_what_does_not_close_is_killed_when_the_profile_allows_it(bench: Bench) -> None:
    bench.profile = replace(bench.profile, app=replace(bench.profile.app, kill=True))
    child = _open_stubborn(bench)

    work = _drain(bench)

    assert work.facts["closed_by"] == "kill 1"
    assert child.wait() == -9


def test_the_ladder_has_every_rung_where_there_is_a_desktop_to_ask(bench: Bench) -> None:
    assert rungs(bench.profile, "windows") == (
        CloseRung.WINDOW,
        CloseRung.QUIT_COMMAND,
        CloseRung.TERMINATE,
    )
