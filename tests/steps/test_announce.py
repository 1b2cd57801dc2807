from agent.steps.announce import announce
from agent.steps.rows import STEPS
from agent.wire.contract import StepName
from agent.wire.notices import Notice, NoticeKind
from tests.steps.bench import Bench


def test_everybody_is_told_ahead_and_the_notice_stays(bench: Bench) -> None:
    work = bench.work(
        StepName.ANNOUNCE, starts_in=3600.0, takes=1800.0, notice="Lunch", asked_by="Lea"
    )

    announce(work)

    told = Notice(NoticeKind.AHEAD, "Bench App", "1.1", "Lea", "Lunch", 3600.0, 1800.0)
    assert bench.people.notices == [told]
    assert bench.people.shown_in == [()]  # those too who do not have the app open
    assert (bench.people.hushed, bench.people.hushed_in) == (0, [])


def test_people_may_be_told_as_often_as_wanted() -> None:
    assert STEPS[StepName.ANNOUNCE].repeats
    assert not any(row.repeats for row in STEPS.values() if row.undo or row.recover)
