"""On real agents: a drill changes nothing, and with the server first the others work on."""

from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.api.asks import DrillAsk, ImportAsk, PackageAsk, PlanAsk
from coordinator.cli.demo_office import APP, OLD
from coordinator.cli.demo_workstation import Wares, Workstation
from coordinator.standin.inspector import judge_disk, note_host
from coordinator.walk.states import RolloutState
from tests.faults.ledger import Json
from tests.faults.office import WARES, FaultOffice, office
from tests.until import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("uncounted")]

_FLEET = """
[[host]]
name = "PC-01"
group = "office"
role = "workstation"

[[host]]
name = "PC-02"
group = "office"
role = "server"
"""


def _ended(made: FaultOffice, rollout: str) -> RolloutState:
    with made.client() as client:
        until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
        return client.rollout(rollout).state


def test_a_drill_closes_backs_up_and_re_opens_and_every_file_is_as_it_was(tmp_path: Path) -> None:
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1")
        made.open_apps()
        noted = [note_host(host.folder) for host in made.hosts]
        with made.client() as client:
            plan = client.make_plan(
                PlanAsk(app=APP, version="1.1", within_seconds=1800, grace_seconds=0.0)
            )
            drill = client.drill(DrillAsk(plan=plan.label))
            assert _ended(made, drill.id) is RolloutState.DONE
            report = client.report(drill.id)
            assert [h["state"] for h in report.hosts] == ["drilled", "drilled"]
            assert [h["to"] for h in report.hosts] == [OLD, OLD]
            taken = {s["step"] for h in report.hosts for s in h["steps"]}
            assert {"drain", "back-up", "check-health", "reopen"} <= taken
            assert not {"stage", "apply-release"} & taken
        for host, before in zip(made.hosts, noted, strict=True):
            assert _disk(made, host, before, OLD) == []
        made.open_apps()  # the guard lets them


def _disk(made: FaultOffice, host: Workstation, noted: Json, version: str) -> list[Json]:
    about = {"name": host.name, "folder": str(host.folder), "expected": version}
    return list(judge_disk(about, noted, made.release(version)))


def _server_first(folder: Path) -> Wares:
    """Return wares whose profile has the server, PC-02, updated before the others."""
    profile = folder / "server-first.toml"
    text = WARES.profile.read_text("utf-8").replace("[walk]", '[walk]\nserver_first = "server"')
    profile.write_text(text, encoding="utf-8")
    return replace(WARES, profile=profile)


def test_with_the_server_updated_first_the_others_are_updated_alone(tmp_path: Path) -> None:
    with office(tmp_path, 2, _server_first(tmp_path)) as made:
        made.begin("1.1")
        with made.client() as client:
            client.import_fleet(ImportAsk(text=_FLEET))
            ask = PackageAsk(app=APP, version="1.1", role="server")
            client.add_package(ask, made.release("1.1"))
        made.roundsman("release", "sign", "--yes")
        made.open_apps()
        rollout = made.start_rollout("1.1")
        assert _ended(made, rollout) is RolloutState.DONE
        with made.client() as client:
            steps = {h["host"]: h["steps"] for h in client.report(rollout).hosts}
            news = [(n.host, n.host_state) for n in client.news(rollout)]
        assert news.index(("PC-02", "updated")) < news.index(("PC-01", "updating"))
        drains = [s for s in steps["PC-01"] if (s["step"], s["direction"]) == ("drain", "do")]
        assert [s["attempt"] for s in drains] == [2]
        made.open_apps()
