"""A daemon knows which hosts another one leads, until it is told to take them over."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.wire.contract import Fence
from coordinator.fences import Fences, Rivals
from coordinator.fleet.standing import Standing
from coordinator.store.database import open_database
from coordinator.store.rollouts import Rollouts
from tests.wire.fakes import HELLO


def _met(host: str, fence: Fence) -> Standing:
    return Standing(host, hello=replace(HELLO, fence=fence))


@pytest.mark.parametrize("ahead", [0, 1, 40])
def test_a_host_that_has_met_a_higher_fence_is_led_elsewhere_until_taken_over(
    tmp_path: Path, ahead: int
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'roundsman.sqlite'}")
    fences = Fences(Rollouts(database))
    ours = fences.current()
    standings = {
        "of-another": _met("of-another", Fence(ours.epoch + ahead, "another")),
        "of-ours": _met("of-ours", ours),
        "of-nobody": _met("of-nobody", Fence(0, "")),
        "never-heard": Standing("never-heard"),
    }
    warned = Rivals(fences, take_over=False)
    warned.look(standings)
    assert set(warned.led_elsewhere(standings)) == {"of-another"}
    assert fences.current() == ours
    taking = Rivals(fences, take_over=True)
    taking.look(standings)
    assert set(taking.led_elsewhere(standings)) == set()
    assert fences.current().epoch > ours.epoch + ahead
    database.dispose()
