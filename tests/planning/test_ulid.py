import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.wire.codec import decode
from agent.wire.contract import UncordonOrder
from coordinator.planning.ulid import RANDOM_BYTES, make_ulid

_CHANCE = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
_MOMENT = st.integers(0, 10**13).map(lambda ms: ms / 1000)


def test_a_known_moment_has_its_known_identifier() -> None:
    assert make_ulid(1469922850.259, bytes(10)) == "01ARZ3NDEK0000000000000000"
    assert make_ulid(0, b"\xff" * 10) == "0000000000" + "Z" * 16


@settings(derandomize=True, max_examples=200, deadline=None)
@given(_MOMENT, _MOMENT, _CHANCE, _CHANCE)
def test_identifiers_sort_by_time(first: float, second: float, one: bytes, two: bytes) -> None:
    ids = make_ulid(first, one), make_ulid(second, two)
    if int(first * 1000) < int(second * 1000):
        assert ids[0] < ids[1]


@settings(derandomize=True, max_examples=100, deadline=None)
@given(_MOMENT, _CHANCE)
def test_every_identifier_is_one_that_an_agent_accepts(now: float, chance: bytes) -> None:
    made = make_ulid(now, chance)
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", made)
    order = {"rollout": made, "fence": {"epoch": 1, "instance": "a"}}
    assert decode(UncordonOrder, order).rollout == made


@pytest.mark.parametrize("count", [0, 9, 11])
def test_it_takes_ten_random_bytes(count: int) -> None:
    with pytest.raises(ValueError, match=f"not {count}"):
        make_ulid(0, bytes(count))
