"""Security row T31: folders and files swapped for links while the agent works on them."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.apply.staging import manifest_of, unpack
from agent.steps.back_up import first_pass
from agent.steps.carry_over import carry_over
from agent.steps.survey import survey
from agent.steps.table import Failed, Refused, Work
from agent.wire.contract import StepName
from tests.hostile.office import SECRET, Office
from tests.hostile.user import swapping
from tests.steps.bench import snapshot

ROUNDS = 1000


def _carry(work: Work) -> None:
    manifest = manifest_of(work)
    unpack(work, manifest)
    carry_over(work, manifest)


def _back_up_first(work: Work) -> None:
    first_pass(work)


def _look(work: Work) -> None:
    survey(work)


def _seen_by_one_who_follows(path: Path) -> int:
    """How often a program that follows links reads what is root's alone."""
    seen = 0
    for _ in range(20):
        with suppress(OSError):
            seen += path.read_bytes() == SECRET
    return seen


@pytest.mark.parametrize("act", [_carry, _back_up_first, _look])
@pytest.mark.parametrize(
    ("swapped", "instead"),
    [("app", "secret"), ("app/prefs", "secret/prefs"), ("app/prefs/user.ini", "secret/user.ini")],
)
def test_what_a_swapped_link_leads_to_is_neither_read_nor_changed(
    office: Office, act: Callable[[Work], None], swapped: str, instead: str
) -> None:
    attempts = followed = 0

    with swapping(office.app.parent / swapped, office.root / instead, ROUNDS) as user:
        while user.is_at_it:
            attempts += 1
            with suppress(OSError, Refused, Failed):
                act(office.work(StepName.STAGE))
            followed += _seen_by_one_who_follows(office.app / "prefs/user.ini")

    assert user.links == ROUNDS
    assert attempts > 1
    assert followed > 0  # else this test would show nothing
    office.check_untouched()


def test_nothing_is_deleted_through_a_link_that_is_swapped_in(office: Office) -> None:
    kept = Spot(office.app, "prefs/sub")

    with swapping(office.app / "prefs", office.secret / "prefs", ROUNDS) as user:
        while user.is_at_it:
            with suppress(OSError):
                office.platform.make_folder(kept)
            with suppress(OSError):
                office.platform.remove(kept)
            with suppress(OSError):
                office.platform.remove(Spot(office.app, "prefs/default.ini"))

    assert user.links == ROUNDS
    assert (office.secret / "prefs/default.ini").read_bytes() == SECRET


def test_nothing_outside_is_given_to_a_user_who_swaps_what_rights_are_given_to(
    office: Office,
) -> None:
    target = office.app / "prefs" / "user.ini"
    before = snapshot(office.secret)

    with swapping(target, office.secret / "user.ini", ROUNDS) as user:
        while user.is_at_it:
            with suppress(OSError):
                office.platform.give_rights(
                    Spot(office.app, "version.txt"), Spot(office.app, "prefs/user.ini")
                )
            with suppress(OSError):
                office.platform.give_times(
                    Spot(office.app, "version.txt"), Spot(office.app, "prefs/user.ini")
                )

    assert user.links == ROUNDS
    assert snapshot(office.secret) == before
