"""On real agents: the one-time code opens one workstation, and the walk goes no further."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.cli.demo_workstation import Wares, Workstation
from coordinator.walk.states import RolloutState
from tests.faults.office import WARES, FaultOffice, office, opened
from tests.until import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("uncounted")]


def _slow(folder: Path) -> Wares:
    """Return wares whose visits take so long that the last host's turn has not come meanwhile."""
    profile = folder / "slow.toml"
    text = WARES.profile.read_text("utf-8")
    assert 'soak = "0 s"' in text
    profile.write_text(text.replace('soak = "0 s"', 'soak = "10 s"'), encoding="utf-8")
    return replace(WARES, profile=profile)


def _opened_by_its_code(made: FaultOffice, rollout: str, host: Workstation) -> None:
    """Have a host opened as soon as it is sealed, as its administrator does."""
    codes: dict[str, str] = {}

    def is_told() -> bool:
        codes.update({c["host"]: c["code"] for c in made.roundsman("rollout", "codes", rollout)})
        return host.name in codes

    def is_open() -> bool:
        config = str(host.state / "agent.toml")
        words = ["uncordon", "--config", config, "--code", codes[host.name]]
        command = [sys.executable, "-m", "agent", *words]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    until(is_told, 60, "its code")
    until(is_open, 60, "the code opens it")


def test_a_workstation_opened_by_its_code_stops_the_walk_until_an_operator_has_it_closed_again(
    tmp_path: Path,
) -> None:
    with office(tmp_path, 3, _slow(tmp_path)) as made:
        made.begin("1.1")
        rollout, last = made.start_rollout("1.1"), made.hosts[-1]
        _opened_by_its_code(made, rollout, last)
        app = opened(last, last.open_app("marie"))

        with made.client() as client:
            until(
                lambda: client.rollout(rollout).state is RolloutState.NEEDS_OPERATOR,
                60,
                "the operator is told",
            )
            assert "PC-03 was opened on the spot" in client.rollout(rollout).detail
            assert app.poll() is None
            assert "1.0" in (last.folder / "VERSION").read_text("utf-8")
            made.roundsman("rollout", "retry", rollout, "--host", "PC-03")
            until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
            assert client.rollout(rollout).state is RolloutState.DONE
        assert app.wait(10) is not None
        assert ["1.1" in (h.folder / "VERSION").read_text("utf-8") for h in made.hosts] == [
            True
        ] * 3
