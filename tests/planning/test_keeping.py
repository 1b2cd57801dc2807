"""Which releases keep their content: a table of reasons, none of which is ever overruled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.model import Keep
from coordinator.planning.keeping import (
    DAY_SECONDS,
    Known,
    Release,
    Use,
    before,
    staying,
    superseded,
)

NOW = 1_000 * DAY_SECONDS
KEEP = Keep(days=90, releases=1)
OLD, NEW, OTHER = Release("office", "1.0"), Release("office", "1.1"), Release("desk", "1.0")


def _known(release: Release, days_ago: float, used: float | None = None) -> Known:
    added = NOW - days_ago * DAY_SECONDS
    return Known(release, added, added if used is None else NOW - used * DAY_SECONDS)


BOTH = [_known(OLD, 300), _known(NEW, 200)]


@pytest.mark.parametrize(
    "use",
    [
        Use(offered=frozenset({OLD})),
        Use(staged=frozenset({OLD})),
        Use(walked=frozenset({OLD})),
    ],
)
def test_what_is_used_stays_however_old(use: Use) -> None:
    assert staying(BOTH, use, KEEP, NOW) == {OLD, NEW}


def test_what_nobody_uses_goes_once_it_is_old() -> None:
    assert staying(BOTH, Use(), KEEP, NOW) == {NEW}


@pytest.mark.parametrize(("days", "stays"), [(89.9, True), (90.0, True), (90.1, False)])
def test_it_is_old_when_it_is_older_than_that(days: float, *, stays: bool) -> None:
    known = [_known(OLD, days), _known(NEW, 1)]
    assert (OLD in staying(known, Use(), KEEP, NOW)) is stays


def test_one_that_was_withdrawn_lately_is_not_old() -> None:
    known = [_known(OLD, 300, used=10), _known(NEW, 200)]
    assert OLD in staying(known, Use(), KEEP, NOW)


def test_the_last_of_each_app_stay_and_a_withdrawal_makes_none_a_later_one() -> None:
    known = [*BOTH, _known(OTHER, 400), _known(OLD, 300, used=100)]
    assert staying(known, Use(), KEEP, NOW) == {NEW, OTHER}
    assert staying(known, Use(), Keep(90, 2), NOW) == {OLD, NEW, OTHER}


def test_nothing_is_known_and_nothing_stays_but_what_is_named() -> None:
    assert staying([], Use(), KEEP, NOW) == frozenset()
    assert staying([], Use(walked=frozenset({OLD})), KEEP, NOW) == {OLD}


def test_what_is_only_on_offer_any_more_is_told() -> None:
    every = frozenset({OLD, NEW})
    assert superseded(BOTH, Use(offered=every), KEEP, NOW) == [OLD]
    assert superseded(BOTH, Use(offered=every, walked=frozenset({OLD})), KEEP, NOW) == []
    assert superseded(BOTH, Use(), KEEP, NOW) == []


_RELEASES = st.builds(Release, st.sampled_from("abc"), st.sampled_from("123456"))
_SETS = st.frozensets(_RELEASES, max_size=4)
_DAYS = st.floats(0, 400)


@given(
    st.dictionaries(_RELEASES, st.tuples(_DAYS, _DAYS)),
    st.builds(Use, _SETS, _SETS, _SETS),
    st.builds(Keep, st.integers(1, 200), st.integers(1, 4)),
)
def test_whatever_is_asked_of_it_what_is_used_or_young_or_among_the_last_stays(
    ages: dict[Release, tuple[float, float]], use: Use, keep: Keep
) -> None:
    known = [_known(r, max(a, b), used=min(a, b)) for r, (a, b) in ages.items()]
    stay = staying(known, use, keep, NOW)
    assert use.offered | use.staged | use.walked <= stay
    gone = [one for one in known if one.release not in stay]
    assert all(one.last_used < before(keep, NOW) for one in gone)
    for one in gone:
        later = [k for k in known if k.release.app == one.release.app and k.added >= one.added]
        assert len(later) > keep.releases
    assert set(superseded(known, use, keep, NOW)) <= use.offered
