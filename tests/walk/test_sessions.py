"""Whose sessions have something open, as an operator reads it."""

from collections.abc import Sequence

import pytest

from agent.wire.contract import CordonMode, OpenProgram, Sight
from coordinator.walk import policy
from coordinator.walk.ports import SightOf
from coordinator.walk.sessions import in_use_by, open_in


def _open(*places: str, program: str = "office") -> list[OpenProgram]:
    """Return one program in each of these places, written "marie 2"."""
    pairs = [place.partition(" ") for place in places]
    return [OpenProgram(u, s, program, n, 1.0) for n, (u, _, s) in enumerate(pairs, 1)]


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (["marie 2"], "has it open: office of marie"),
        (["marie 2", "marie 2"], "has it open: office of marie"),
        (["marie 2", "marie"], "has it open: office of marie"),  # a helper, session not known
        ([""], "has it open: office of the system"),
        (["marie 2", "paul 3"], "has it open in 2 sessions: marie, paul (office)"),
        (
            ["marie 2", "marie 5"],
            "has it open in 2 sessions: marie (session 2), marie (session 5) (office)",
        ),
        (
            ["lea 1", "marie 2", "marie 5", "paul 3"],
            "has it open in 4 sessions: lea, marie (session 2), marie (session 5), paul (office)",
        ),
    ],
)
def test_sessions_are_counted_and_named(places: Sequence[str], said: str) -> None:
    assert open_in(_open(*places)) == said


def test_twenty_sessions_are_told_in_few_words() -> None:
    said = open_in(_open(*(f"user-{n:02} {n}" for n in range(20))))

    assert said.startswith("has it open in 20 sessions: user-00, user-01, ")
    assert said.endswith("user-07 and 12 more (office)")


def test_each_program_is_named_once() -> None:
    found = [*_open("marie 2", "paul 3"), *_open("paul 3", program="tray")]

    assert open_in(found) == "has it open in 2 sessions: marie, paul (office, tray)"


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([], ""),
        ([""], ""),
        (["marie 2"], "in use by marie"),
        (["marie 2", "paul 3", ""], "in use in 2 sessions: marie, paul"),
    ],
)
def test_who_uses_it_is_told_by_sessions(places: Sequence[str], said: str) -> None:
    assert in_use_by(_open(*places)) == said


def test_a_walk_that_waits_names_every_session_and_who_opened_it() -> None:
    both = tuple(_open("marie 2", "paul 3"))
    shut = Sight(CordonMode.SEALED, guarded=True, open=both)
    opened = Sight(CordonMode.SEALED, guarded=True, open=both, code_used=True)

    assert policy.why_open(SightOf("pc", shut)) == (
        "has it open in 2 sessions: marie, paul (office)"
    )
    assert policy.why_open(SightOf("pc", opened)).endswith("in use in 2 sessions: marie, paul")
