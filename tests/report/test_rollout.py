import json
import re
from dataclasses import replace
from typing import Any

import pytest

from agent.wire.contract import Direction, Finding, Severity, StepName
from coordinator.report.rollout import as_html, as_text, rollout_report
from coordinator.store.rows import NewsRow, RolloutRow, StepRow, VisitRow
from coordinator.walk.states import HostState, RolloutState
from tests.walk.plans import make_plan

BEGAN = 1_773_133_200.0
PLAN = make_plan(3)
DO, UNDO = Direction.DO, Direction.UNDO


def _row(state: RolloutState = RolloutState.PARTLY_DONE, **changes: Any) -> RolloutRow:
    values: dict[str, Any] = {
        "id": PLAN.id, "number": 12, "plan": PLAN, "state": state, "detail": "PC-02 stays closed",
        "mend": "roundsman plan office 1.1", "since": BEGAN + 300, "epoch": 1, "started_by": "ann",
        "started": BEGAN, "ended": BEGAN + 300,
    }  # fmt: skip
    return RolloutRow(**values | changes)


def _visit(n: int, state: HostState, detail: str = "", took: float | None = 41.126) -> VisitRow:
    began = None if took is None else BEGAN + 10
    ended = None if took is None else BEGAN + 10 + took
    return VisitRow(f"pc-{n}", n - 1, state, detail, BEGAN, began, ended)


def _step(
    n: int, step: StepName, state: str = "done", way: Direction = DO, **changes: Any
) -> StepRow:
    values: dict[str, Any] = {
        "step_id": f"{PLAN.id}/pc-{n}/{step}", "host": f"pc-{n}", "step": step, "direction": way,
        "attempt": 1, "state": state, "started": BEGAN, "ended": BEGAN + 4.258, "bytes_done": 0,
        "bytes_total": 0, "detail": "", "facts": {}, "findings": (),
    }  # fmt: skip
    return StepRow(**values | changes)


VISITS = [
    _visit(1, HostState.UPDATED),
    _visit(2, HostState.SKIPPED, "check-health: no answer from the app"),
    _visit(3, HostState.PENDING, took=None),
]
STEPS = [
    _step(1, StepName.SURVEY, facts={"app_version": "1.0.3"}),
    _step(1, StepName.APPLY_RELEASE),
    _step(2, StepName.APPLY_RELEASE),
    _step(2, StepName.CHECK_HEALTH, "failed", detail="no answer from the app"),
    _step(2, StepName.APPLY_RELEASE, way=UNDO),
    _step(3, StepName.SURVEY, "running", ended=None),
]
NEWS = [
    NewsRow(1, BEGAN, "walking", "", "", "", ""),
    NewsRow(2, BEGAN + 9, "walking", "pc-2", "rolled-back", "no answer from the app", ""),
]


def _report() -> dict[str, Any]:
    return rollout_report(_row(), VISITS, STEPS, NEWS)


def test_the_report_says_what_was_done_where_and_in_which_time() -> None:
    report = _report()
    assert report["rollout"] | {"id": ""} == {
        "id": "", "label": "r12", "app": "office", "to": "1.1", "site": "paris", "group": "all",
        "state": "partly-done", "detail": "PC-02 stays closed",
        "mend": "roundsman plan office 1.1", "started_by": "ann", "started": BEGAN,
        "ended": BEGAN + 300, "seconds": 300.0, "drill": False,
    }  # fmt: skip
    rows = [(h["host"], h["state"], h["from"], h["to"]) for h in report["hosts"]]
    assert rows == [
        ("PC-01", "updated", "1.0.3", "1.1"),
        ("PC-02", "skipped", "1.0", "1.0"),
        ("PC-03", "pending", "1.0", "1.0"),
    ]
    assert [h["exclusive_seconds"] for h in report["hosts"]] == [41.13, 41.13, 0.0]
    assert report["not_done"] == ["PC-02", "PC-03"]


def test_it_says_who_was_rolled_back_and_why() -> None:
    report = _report()
    assert report["hosts"][1]["detail"] == "check-health: no answer from the app"
    assert [h["state"] for h in report["history"]] == ["walking", "rolled-back"]
    assert report["history"][1]["host"] == "PC-02"
    undone = report["hosts"][1]["steps"][-1]
    assert (undone["direction"], undone["seconds"]) == ("undo", 4.26)


def test_a_step_under_way_has_no_time_yet() -> None:
    assert _report()["hosts"][2]["steps"][0]["seconds"] is None


def test_it_is_plain_values_only() -> None:
    report = _report()
    assert json.loads(json.dumps(report)) == report


def test_a_rollout_under_way_counts_until_its_last_news() -> None:
    report = rollout_report(_row(RolloutState.WALKING, ended=None, since=BEGAN + 50), VISITS, [])
    assert report["rollout"]["seconds"] == 50.0


def test_a_rollout_under_way_has_lasted_until_now_and_one_that_has_ended_has_not() -> None:
    row = _row(RolloutState.WALKING, ended=None, since=BEGAN + 50)
    assert rollout_report(row, VISITS, [], now=BEGAN + 900)["rollout"]["seconds"] == 900.0
    ended = rollout_report(_row(ended=BEGAN + 60), VISITS, [], now=BEGAN + 900)
    assert ended["rollout"]["seconds"] == 60.0


def test_a_reason_that_goes_on_is_said_once_in_the_history() -> None:
    why, other = "check-health: no answer", "it is off"
    states = (
        (HostState.ROLLING_BACK, why, "pc-2"),
        (HostState.SKIPPED, other, "pc-3"),
        (HostState.ROLLED_BACK, why, "pc-2"),
        (HostState.SKIPPED, why, "pc-2"),
        (HostState.UPDATING, "", "pc-2"),
        (HostState.ROLLING_BACK, other, "pc-2"),
    )
    news = [
        replace(NEWS[-1], host=host, host_state=state.value, detail=detail)
        for state, detail, host in states
    ]
    told = rollout_report(_row(), VISITS, STEPS, news)["history"]
    assert [item["detail"] for item in told] == [why, other, "", "", "", other]


@pytest.mark.parametrize(
    ("steps", "left_on"),
    [
        ([], "1.0"),
        ([("refused", DO)], "1.0"),
        ([("failed", DO)], "unknown"),
        ([("unknown", DO)], "unknown"),
        ([("running", DO)], "unknown"),
        ([("done", DO)], "unknown"),
        ([("failed", DO), ("failed", UNDO)], "unknown"),
        ([("failed", DO), ("done", UNDO)], "1.0"),
    ],
)
def test_a_host_that_is_not_updated_is_on_its_old_release_only_when_that_is_known(
    steps: list[tuple[str, Direction]], left_on: str
) -> None:
    rows = [_step(2, StepName.APPLY_RELEASE, state, way) for state, way in steps]
    report = rollout_report(_row(), [_visit(2, HostState.NEEDS_OPERATOR)], rows)
    assert report["hosts"][0]["to"] == left_on


def test_as_text_it_is_a_table_with_what_to_do_next() -> None:
    text = as_text(_report())
    assert text.startswith("r12: office 1.1 in group all, partly-done, ")
    assert re.search(r"^PC-01 +updated +1\.0\.3 +1\.1 +41\.13", text, re.MULTILINE)
    assert text.endswith("PC-02 stays closed\nnext: roundsman plan office 1.1")


def test_as_text_a_rollout_that_went_well_says_no_more_than_the_table() -> None:
    made = rollout_report(_row(RolloutState.DONE, detail="", mend=""), VISITS[:1], STEPS)
    assert "next:" not in as_text(made)


def test_a_version_is_never_turned_into_a_number() -> None:
    steps = [_step(1, StepName.SURVEY, facts={"app_version": "1.10"})]
    assert " 1.10 " in as_text(rollout_report(_row(), VISITS[:1], steps))


def test_as_html_it_is_one_page_that_asks_for_nothing_else() -> None:
    page = as_html(_report())
    assert "<title>r12: office 1.1</title>" in page
    assert "@media print" in page
    for outside in ("<script", "<link", "<img", "http://", "https://", "url("):
        assert outside not in page
    for host in ("PC-01", "PC-02", "PC-03"):
        assert f"<h2>{host}</h2>" in page


def test_as_html_nothing_that_a_host_said_becomes_markup() -> None:
    evil = "<script>alert(1)</script>"
    finding = Finding("left-over-old", Severity.WARNING, evil)
    made = rollout_report(
        _row(detail=evil, mend=evil, started_by=evil),
        [_visit(1, HostState.SKIPPED, evil)],
        [_step(1, StepName.SURVEY, detail=evil, facts={"app_version": evil}, findings=(finding,))],
        [NewsRow(1, BEGAN, "walking", "pc-1", "skipped", evil, evil)],
    )
    page = as_html(made)
    assert evil not in page
    assert page.count("&lt;script&gt;") >= 6


@pytest.mark.parametrize(("seconds", "said"), [(41.1, "41.1 s"), (622.8, "10 min 23 s")])
def test_as_text_a_long_rollout_is_told_in_minutes(seconds: float, said: str) -> None:
    made = rollout_report(_row(ended=BEGAN + seconds), VISITS[:1], STEPS)
    assert as_text(made).splitlines()[0].endswith(f" by ann, {said}")


def test_newer_data_that_was_kept_is_named() -> None:
    kept = {"newer_data": "/srv/data.01HZ"}
    steps = [*STEPS, _step(1, StepName.BACK_UP_DATA, way=UNDO, facts=kept)]
    report = rollout_report(_row(), VISITS, steps)
    assert [host["newer_data"] for host in report["hosts"]] == ["/srv/data.01HZ", "", ""]
    assert "PC-01: newer data is kept as /srv/data.01HZ" in as_text(report)
    assert "newer data is kept as /srv/data.01HZ" in as_html(report)
