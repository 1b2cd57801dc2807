"""Kill -9 of the coordinator and of agents, at random moments of real rollouts of five hosts.

Several offices share the kills. `ROUNDSMAN_SEED` and `ROUNDSMAN_KILLS` choose the moments and how
many of each kind there are in all.
"""

import json
import os
import random
import secrets
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from coordinator.cli.demo_office import OLD
from tests.faults.killers import Killers, Tally
from tests.faults.ledger import cordon_of
from tests.faults.office import FaultOffice, office
from tests.faults.truth import lies_of_coordinator, lies_of_journal
from tests.until import until

OFFICES = 2  # that are killed in at the same time, where there are processors for it
KILLS = -(-int(os.environ.get("ROUNDSMAN_KILLS", "50")) // OFFICES)  # in each
VERSIONS = [f"1.{number}" for number in range(1, 3 + KILLS // 3)]
_ROLLOUT_SECONDS = 400
_LOOK_SECONDS = 0.1


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("uncounted")  # who is killed leaves no figures anyway
@pytest.mark.parametrize("number", range(1, OFFICES + 1))
def test_no_step_is_lost_or_done_twice_whoever_is_killed_and_the_journals_tell_the_truth(
    number: int, tmp_path: Path
) -> None:
    seed = int(os.environ.get("ROUNDSMAN_SEED") or secrets.randbelow(10**6))
    chance = random.Random(f"{seed} {number}")
    tally, began = Tally(KILLS), time.monotonic()
    sys.stdout.write(f"\nROUNDSMAN_SEED={seed}\n")
    with office(tmp_path, hosts=5) as made:
        made.begin(*VERSIONS)
        rollouts = 0
        for before, after in zip([OLD, *VERSIONS], VERSIONS, strict=False):
            wrong = _roll_out(made, (before, after), tally, chance)
            assert not wrong, f"seed {seed}, {before} to {after}:\n" + "\n".join(wrong)
            rollouts += 1
            if tally.is_full:
                break
            made.open_apps()
    sys.stdout.write(f"{tally.told()}\n{rollouts} rollouts, {time.monotonic() - began:.0f} s\n")
    assert tally.is_full, tally.told()


def _roll_out(
    made: FaultOffice, versions: tuple[str, str], tally: Tally, chance: random.Random
) -> list[str]:
    """Take the office to the next version, with kills, and return what is wrong afterwards."""
    witness = made.start_witness(f"witness-{versions[1]}", *versions)
    rollout = made.start_rollout(versions[1])
    with Killers(made, rollout, tally, chance).at_work():
        _wait_for_end(made, rollout)
    until(lambda: not _sealed(made), 30, "everybody is open again")
    verdict = witness.judge()
    return [
        *[f"witness: {violation}" for violation in verdict["violations"]],
        *_swaps(witness.record, versions),
        *_wrong_with(made, rollout, tally),
    ]


def _wait_for_end(made: FaultOffice, rollout: str) -> None:
    last = time.monotonic() + _ROLLOUT_SECONDS
    while not made.ledger.has_ended(rollout):
        state = made.ledger.state_of(rollout)
        assert state["state"] != "needs-operator", state["detail"]
        assert time.monotonic() < last, f"the rollout does not end: {state}"
        time.sleep(_LOOK_SECONDS)


def _sealed(made: FaultOffice) -> list[str]:
    cordons = {host.name: cordon_of(host.state) for host in made.hosts}
    return [name for name, cordon in cordons.items() if cordon and cordon["mode"] != "none"]


def _swaps(record: Path, versions: tuple[str, str]) -> Iterator[str]:
    """Yield each host whose app was not seen to change from old to new exactly once."""
    facts = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    seen: dict[str, list[str]] = {}
    for fact in facts:
        if fact.get("folder"):
            seen.setdefault(fact["host"], []).append(fact["app"])
    for host, apps in seen.items():
        changes = [pair for pair in pairwise(apps) if pair[0] != pair[1]]
        if changes != [versions]:
            yield f"{host}: the app was seen to be {apps}"


def _wrong_with(made: FaultOffice, rollout: str, tally: Tally) -> Iterator[str]:
    """Yield what the files of coordinator and agents say that is not well."""
    state, steps = made.ledger.state_of(rollout)["state"], made.ledger.steps(rollout)
    if state != "done":
        yield f"the rollout is {state}"
    for visit in made.ledger.rows("SELECT * FROM visit WHERE rollout = ?", rollout):
        if visit["state"] != "updated":
            yield f"{visit['host']} is {visit['state']}: {visit['detail']}"
    for host in made.hosts:
        lies = [
            *lies_of_journal(host.state, rollout, tally.of(host)),
            *lies_of_coordinator(
                host.state, rollout, [row for row in steps if row.host == host.host_id]
            ),
        ]
        yield from (f"{host.name}: {lie}" for lie in lies)
