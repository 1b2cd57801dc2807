"""What is needed on a host: nothing that a step or a way back may ask for ever goes."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.needs import KEPT_DAYS, Needs, Release, needs
from agent.programs import Programs
from agent.records import CordonRecord, StepRecord
from agent.wire.contract import (
    CordonMode,
    Direction,
    Fence,
    StepName,
    StepParams,
    StepReport,
    StepState,
    Target,
)

DO, UNDO, TIDY = Direction
S, N = StepState, StepName
DAY = 86400.0
NOW = 1000 * DAY
PACKAGES = [Target(f"p{n}", f"{n:064x}") for n in range(4)]
RELEASES = {
    PACKAGES[0].sha256: Release("office", "1.0", "c0"),
    PACKAGES[1].sha256: Release("office", "1.1", "c1"),
    PACKAGES[2].sha256: Release("office", "1.2", "c2"),
    PACKAGES[3].sha256: Release("other", "1.0", "c3"),
}
PROFILES = [Target(f"profile{n}", f"{n + 50:064x}") for n in range(2)]
OLDEST = "01J" + "0" * 23


def rollout(number: int) -> str:
    return f"01J{number:023}"


def step(
    number: int,
    name: StepName,
    way: Direction = DO,
    state: StepState = S.DONE,
    package: int = 1,
    days_ago: float = 1.0,
) -> StepRecord:
    report = StepReport(f"{rollout(number)}/pc-01/{name}", way, state, 1)
    params = StepParams(PROFILES[package // 3], PACKAGES[package])
    return StepRecord(report, params, 0, NOW - days_ago * DAY, touched=True)


def in_order(*steps: StepRecord) -> list[StepRecord]:
    return [replace(one, began=number) for number, one in enumerate(steps, 1)]


def needed(*steps: StepRecord, cordon: CordonRecord | None = None) -> Needs:
    return needs(in_order(*steps), cordon, RELEASES, NOW)


def sealed(number: int) -> CordonRecord:
    none, fence = Programs("/opt/other", ()), Fence(1, "a")
    return CordonRecord(
        rollout(number), PROFILES[1], "other", CordonMode.SEALED, fence, none, none, NOW
    )


def holds(found: Needs, one: StepRecord, *, fetched: bool = False) -> bool:
    """True when all that a step works with is needed; what is `fetched` lies unpacked."""
    package = one.params.package
    assert package is not None
    names = [f"{RELEASES[package.sha256].content}.{kind}" for kind in ("zip", "part")]
    return (
        found.has_target(one.params.profile.sha256)
        and found.has_target(package.sha256)
        and found.has_ready(f"office.{package.sha256}")
        and found.has_ready(f"office.{package.sha256}.part")
        and (fetched or all(found.has_download(name) for name in names))
    )


_NAMES = [N.SURVEY, N.FETCH, N.STAGE, N.DRAIN, N.BACK_UP, N.APPLY_RELEASE, N.CHECK_HEALTH]
_STEPS = st.lists(
    st.builds(
        step,
        st.integers(0, 4),
        st.sampled_from(_NAMES),
        st.sampled_from([DO, DO, UNDO, TIDY]),
        st.sampled_from([S.RUNNING, S.DONE, S.DONE, S.FAILED, S.CANCELLED, S.INTERRUPTED]),
        st.integers(0, 3),
        st.floats(0, 40),
    ),
    max_size=25,
)
_KNOWN = st.sets(st.sampled_from(sorted(RELEASES)))


@settings(max_examples=400)
@given(_STEPS, _KNOWN, st.booleans())
def test_nothing_goes_that_a_step_or_a_way_back_may_ask_for(
    steps: list[StepRecord], known: set[str], is_sealed: bool
) -> None:
    kept = in_order(*steps)
    releases = {sha256: RELEASES[sha256] for sha256 in known}
    cordon = sealed(2) if is_sealed else None
    found = needs(kept, cordon, releases, NOW)
    ended = {_of(one) for one in kept if _ends(one)}
    changed = {_of(one) for one in kept if N(_named(one)) is N.APPLY_RELEASE} - ended
    for one in kept:
        is_last = _of(one) == max(map(_of, kept)) and _of(one) not in ended
        opened = {_named(two) for two in kept if _of(two) == _of(one)} - {"survey", "fetch"}
        if one.state is S.RUNNING or _of(one) in changed or (is_last and opened):
            assert holds(found, one), one
            assert found.has_staging(_of(one), OLDEST), one
    if cordon:
        assert found.has_target(PROFILES[1].sha256)
        assert found.has_staging(rollout(2), OLDEST)
        assert found.has_staging(rollout(2), "9" * 26)


def _of(one: StepRecord) -> str:
    return one.report.step_id.partition("/")[0]


def _named(one: StepRecord) -> str:
    return one.report.step_id.rpartition("/")[2]


def _ends(one: StepRecord) -> bool:
    return (_named(one), one.report.direction, one.state) == ("survey", TIDY, S.DONE)


@settings(max_examples=200)
@given(_STEPS, _KNOWN, st.floats(0, KEPT_DAYS - 1))
def test_what_was_fetched_last_is_kept_until_a_rollout_ends_or_its_days_are_over(
    steps: list[StepRecord], known: set[str], days_ago: float
) -> None:
    last = step(9, N.FETCH, days_ago=days_ago)
    kept = in_order(*steps, last)
    releases = {sha256: RELEASES[sha256] for sha256 in known}
    assert holds(needs(kept, None, releases, NOW), last, fetched=True)


# -- what goes --------------------------------------------------------------------------------

_WALK = [N.STAGE, N.DRAIN, N.BACK_UP, N.APPLY_RELEASE, N.CHECK_HEALTH]


def walked(number: int, package: int) -> list[StepRecord]:
    done = [step(number, name, package=package) for name in [N.SURVEY, *_WALK]]
    return [*done, step(number, N.SURVEY, TIDY, package=package)]


def test_of_a_rollout_that_is_over_nothing_is_needed() -> None:
    found = needed(*walked(1, 1))
    assert found == replace(found, targets=frozenset(), packages=frozenset(), rollouts=frozenset())
    assert not found.has_download("c1.zip")
    assert not found.has_download("abc.blob.part")
    assert not found.has_staging(rollout(1), OLDEST)


def test_until_it_is_over_all_of_it_is() -> None:
    *steps, _ = walked(1, 1)
    assert holds(needed(*steps), steps[0])


def test_a_staging_that_was_stopped_is_kept_for_some_days_to_be_gone_on_with() -> None:
    for state in (S.CANCELLED, S.FAILED, S.INTERRUPTED):
        soon = step(1, N.FETCH, state=state, days_ago=KEPT_DAYS - 1)
        late = step(1, N.FETCH, state=state, days_ago=KEPT_DAYS + 1)
        assert holds(needed(soon), soon)
        assert needed(late).targets == frozenset()
        assert not needed(late).has_ready(f"office.{PACKAGES[1].sha256}.part")


def test_what_lies_ready_goes_once_a_release_that_is_not_older_is_committed() -> None:
    fetch = step(1, N.FETCH, package=1)
    assert not holds(needed(fetch, *walked(2, 2)), fetch, fetched=True)
    newer = step(1, N.FETCH, package=2)
    assert holds(needed(newer, *walked(2, 1)), newer, fetched=True)


def test_what_is_fetched_after_a_commit_is_kept_even_when_it_is_older() -> None:
    older = step(3, N.FETCH, package=1)
    assert holds(needed(*walked(2, 2), older), older, fetched=True)


def test_a_rollout_that_was_taken_back_has_committed_nothing() -> None:
    fetch = step(1, N.FETCH, package=1)
    *steps, end = walked(2, 2)
    undone = step(2, N.APPLY_RELEASE, UNDO, package=2)
    assert holds(needed(fetch, *steps, undone, end), fetch, fetched=True)


def test_another_app_s_commit_takes_nothing_away() -> None:
    fetch = step(1, N.FETCH, package=1)
    assert holds(needed(fetch, *walked(2, 3)), fetch, fetched=True)


def test_a_later_staging_takes_the_place_of_an_earlier_one_of_the_same_app() -> None:
    found = needed(step(1, N.FETCH, package=1), step(2, N.FETCH, package=2))
    assert not found.has_ready(f"office.{PACKAGES[1].sha256}")
    assert found.has_ready(f"office.{PACKAGES[2].sha256}")


def test_what_was_staged_for_a_rollout_that_another_has_overtaken_goes() -> None:
    found = needed(step(1, N.STAGE, package=1), *walked(2, 2))
    assert not found.has_staging(rollout(1), OLDEST)
    assert found.targets == frozenset()


def test_while_it_is_not_known_what_a_package_holds_no_download_goes() -> None:
    found = needs(in_order(step(1, N.STAGE)), None, {}, NOW)
    assert found.has_download("whatever.zip")
    assert found.has_download("whatever.blob.part")


def test_what_is_not_ours_is_left_alone() -> None:
    found = needed()
    assert found.has_download("notes.txt")
    assert found.has_staging("ready", OLDEST)
    assert found.has_staging("someone's", OLDEST)


def test_a_rollout_that_the_journal_does_not_know_goes_when_it_would_have_forgotten_it() -> None:
    assert needed().has_staging(rollout(5), rollout(5))
    assert not needed().has_staging(rollout(5), rollout(6))
