"""On real agents: a release is found to be bad while it is walked; the office goes back, whole."""

from pathlib import Path

import pytest

from coordinator.api.asks import CommandAsk, PlanAsk, WithdrawAsk
from coordinator.api.client import Client
from coordinator.cli.demo_office import APP
from coordinator.complaint import Complaint
from coordinator.walk.ports import Verb
from coordinator.walk.states import HostState, RolloutState
from tests.faults.office import FaultOffice, office
from tests.until import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("uncounted")]


def _versions(made: FaultOffice) -> list[str]:
    texts = [(host.folder / "VERSION").read_text("utf-8") for host in made.hosts]
    return ["1.1" if "1.1" in text else "1.0" for text in texts]


def _withdrawn_in_the_first_visit(made: FaultOffice, client: Client) -> str:
    """Start a rollout, withdraw its release during the first visit, and return its id."""
    rollout = made.start_rollout("1.1")
    states = {HostState.CHECKING, HostState.UPDATED}
    until(lambda: client.rollout(rollout).visits[0].state in states, 120, "the first visit")
    (told,) = client.withdraw(APP, "1.1", WithdrawAsk(why="loses invoices")).rollouts
    assert told.mend == "roundsman rollout abort r1 --roll-back-all"
    made.roundsman("release", "sign", "--yes")
    needs = RolloutState.NEEDS_OPERATOR
    until(lambda: client.rollout(rollout).state is needs, 120, "it waits for a person")
    return rollout


def test_a_rollout_of_a_release_that_is_withdrawn_waits_and_goes_back(tmp_path: Path) -> None:
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1")
        made.open_apps()
        with made.client() as client:
            rollout = _withdrawn_in_the_first_visit(made, client)
            why = client.why(rollout)
            assert why.reason.startswith(f"{APP} 1.1 was withdrawn by root: loses invoices.")
            assert why.mend.startswith("roundsman rollout abort r1 --roll-back-all")
            assert _versions(made) == ["1.1", "1.0"]
            with pytest.raises(Complaint, match="was withdrawn by root: loses invoices"):
                client.make_plan(PlanAsk(app=APP, version="1.1", within_seconds=1800))
            client.say(rollout, CommandAsk(verb=Verb.ABORT_ROLL_BACK))
            until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
            assert client.rollout(rollout).state is RolloutState.ABORTED
        assert _versions(made) == ["1.0", "1.0"]
        tidy = made.typed("tidy", "--dry-run")
        assert tidy.returncode == 0, tidy.stderr
        assert "Nothing" in tidy.stdout  # it was withdrawn a moment ago


def test_put_back_on_offer_it_goes_on_to_the_end(tmp_path: Path) -> None:
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1")
        with made.client() as client:
            rollout = _withdrawn_in_the_first_visit(made, client)
            client.say(rollout, CommandAsk(verb=Verb.RESUME))  # too early
            until(
                lambda: client.rollout(rollout).visits[1].state is HostState.ROLLED_BACK,
                60,
                "the next workstation is refused",
            )
            assert _versions(made) == ["1.1", "1.0"]
            made.roundsman("release", "withdraw", APP, "1.1", "--undo")
            made.roundsman("release", "sign", "--yes")
            client.say(rollout, CommandAsk(verb=Verb.RETRY))
            until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
            assert client.rollout(rollout).state is RolloutState.DONE
        assert _versions(made) == ["1.1", "1.1"]
