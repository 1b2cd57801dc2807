"""Agents whose clock is wrong: real processes under faketime, real HTTPS, a right coordinator.

Small errors do no harm; large ones end at the certificate, in words that name the clock; and no
clock brings back what a host has seen replaced. What the coordinator says of a wrong clock before
a rollout is in tests/planning/test_preflight.py.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.wire.contract import Target
from tests.trust.keyring import PROFILE, Agent, publish
from tests.trust.office import Office

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed")


def read(agent: Agent, target: Target, clock: str) -> str:
    """Return what an agent says that reads a profile while its clock is wrong by so much."""
    words = [sys.executable, "-m", "tests.trust.reader", str(agent.state), agent.id]
    words += [agent.https.address, target.name, target.sha256]
    ended = subprocess.run(
        ["faketime", "-f", clock, *words],
        cwd=PROJECT,
        timeout=60,
        check=True,
        capture_output=True,
        text=True,
    )
    return ended.stdout


@pytest.mark.parametrize("clock", ["-1h", "-23h", "+1h", "+23h"])
def test_a_clock_that_is_wrong_by_hours_does_no_harm(
    office: Office, agent: Agent, clock: str
) -> None:
    assert read(agent, publish(office, PROFILE), clock) == "accepted\n"


@pytest.mark.parametrize("clock", ["-10y", "-2d", "+100d", "+10y"])
def test_a_clock_that_is_wrong_by_more_ends_at_the_certificate_and_is_named(
    office: Office, agent: Agent, clock: str
) -> None:
    said = read(agent, publish(office, PROFILE), clock)
    assert "check the date and time of this computer first" in said


def test_a_clock_that_is_two_days_ahead_finds_everything_expired(
    office: Office, agent: Agent
) -> None:
    assert "timestamp.json is expired" in read(agent, publish(office, PROFILE), "+2d")


@pytest.mark.parametrize("clock", ["-23h", "+0", "+23h"])
def test_no_clock_brings_back_what_was_replaced(
    office: Office, agent: Agent, tmp_path: Path, clock: str
) -> None:
    old = publish(office, PROFILE)
    shutil.copytree(office.repository.folder, tmp_path / "replay")
    assert agent.accepts(publish(office, PROFILE + b"\n"))
    shutil.rmtree(office.repository.folder)
    shutil.copytree(tmp_path / "replay", office.repository.folder)
    assert "version" in read(agent, old, clock)


def test_metadata_that_expired_is_not_good_again_by_an_hour(office: Office, agent: Agent) -> None:
    office.clock.ahead = -26 * 3600
    target = publish(office, PROFILE)
    office.clock.ahead = 0
    assert "timestamp.json is expired" in read(agent, target, "-1h")
