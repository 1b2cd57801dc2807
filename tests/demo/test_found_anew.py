"""On real agents: what came between since the plan stops a rollout before it closes anybody."""

from pathlib import Path

import pytest

from coordinator.api.asks import CommandAsk, PlanAsk
from coordinator.cli.demo_office import APP
from coordinator.walk.ports import Verb
from coordinator.walk.states import RolloutState
from tests.faults.office import office, opened
from tests.until import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("uncounted")]


def test_a_workstation_that_got_a_newer_release_by_hand_is_told_of_with_everybody_still_in(
    tmp_path: Path,
) -> None:
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1")
        second = made.hosts[1]
        apps = [opened(host, host.open_app("marie")) for host in made.hosts]
        with made.client() as client:
            ask = PlanAsk(app=APP, version="1.1", within_seconds=1800, grace_seconds=0.0)
            plan = client.make_plan(ask)
            version = second.folder / "VERSION"
            planned = version.read_text("utf-8")
            version.write_text(planned.replace("=1.0", "=2.0"), "utf-8")
            rollout = client.start(plan.label).id
            needs = RolloutState.NEEDS_OPERATOR
            until(lambda: client.rollout(rollout).state is needs, 60, "it waits for a person")
            said = client.why(rollout)
            assert said.holder == second.name
            assert said.reason == (
                "PC-02: cannot be visited now: has 2.0, which is newer than 1.1 (mend: choose a "
                "version that is not older). Nothing was changed"
            )
            assert f"rollout retry {said.label} --host PC-02" in said.mend
            assert [app.poll() for app in apps] == [None, None]
            version.write_text(planned, "utf-8")
            client.say(rollout, CommandAsk(verb=Verb.RETRY, host="PC-02"))
            until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
            assert client.rollout(rollout).state is RolloutState.DONE
        assert ["1.1" in (h.folder / "VERSION").read_text("utf-8") for h in made.hosts] == [
            True
        ] * 2
