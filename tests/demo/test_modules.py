"""On real agents: a module is updated along, one is left, one not installed stays away."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.api.asks import LicenceAsk, PackageAsk, PlanAsk
from coordinator.api.client import Client
from coordinator.cli.demo_office import APP
from coordinator.cli.demo_workstation import Wares, Workstation
from coordinator.complaint import Blocked
from coordinator.model import ModuleVerdict
from coordinator.standin.make_release import File, release_files, write_zip
from coordinator.walk.states import RolloutState
from tests.faults.office import WARES, FaultOffice, office
from tests.until import until

_MORE = """
[modules]
folder = "modules"
version = { file = "module.txt", pattern = '^version=(.+)$' }

[licence]
required = true
"""
_TERMS = {
    "released": "2026-01-31",
    "contract": True,
    "over": ">=1,<2",
    "modules": [{"name": name, "version": "2.0"} for name in ("crm", "fax", "voice")],
}
_ENTITLEMENT = f'app = "{APP}"\nholder = "Roy"\nseats = 2\ncontract_end = 2026-06-30\n'


def _module(name: str, version: str) -> list[File]:
    about = f"version={version}\n".encode()
    return [
        (f"modules/{name}/module.txt", 0o644, about),
        (f"modules/{name}/code.dat", 0o644, f"{name} {version}".encode() * 1000),
    ]


def _with_modules(folder: Path) -> Wares:
    profile = folder / "modules.toml"
    profile.write_text(WARES.profile.read_text("utf-8") + _MORE, encoding="utf-8")
    return replace(WARES, profile=profile)


def _install(host: Workstation, *names: str) -> None:
    for path, _, content in (file for name in names for file in _module(name, "1.0")):
        target = host.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _publish(made: FaultOffice, client: Client) -> None:
    """Have 1.1 signed with its terms and modules."""
    files = [*release_files("1.1", WARES.size)]
    files += [file for name in ("crm", "fax", "voice") for file in _module(name, "2.0")]
    write_zip(made.release("1.1"), files)
    ask = PackageAsk(app=APP, version="1.1", terms=json.dumps(_TERMS))
    client.add_package(ask, made.release("1.1"))
    made.roundsman("release", "sign", "--yes")


def _modules(host: Workstation) -> dict[str, bytes]:
    folder = host.folder / "modules"
    return {path.name: (path / "code.dat").read_bytes()[:7] for path in folder.iterdir()}


@pytest.mark.timeout(300)
def test_modules_are_updated_left_and_kept_away_in_one_rollout(
    tmp_path: Path,
) -> None:
    with office(tmp_path, 2, _with_modules(tmp_path)) as made:
        made.begin()
        first, second = made.hosts
        _install(first, "crm", "fax", "own")
        _install(second, "crm", "fax")
        with made.client() as client:
            _publish(made, client)
            _walk(client)
        assert _modules(first) == {"crm": b"crm 2.0", "fax": b"fax 1.0", "own": b"own 1.0"}
        assert _modules(second) == {"crm": b"crm 2.0", "fax": b"fax 2.0"}


def _walk(client: Client) -> None:
    ask = PlanAsk(
        app=APP, version="1.1", within_seconds=1800, grace_seconds=0.0, leave=["fax@PC-01"]
    )
    blocked = client.make_plan(ask)
    with pytest.raises(Blocked, match="there is no entitlement"):
        client.start(blocked.label)
    client.add_licence(LicenceAsk(text=_ENTITLEMENT))
    plan = client.make_plan(ask)
    verdicts = {(h.host, m.name): m.verdict for h in plan.hosts for m in h.modules}
    assert verdicts == {
        ("PC-01", "crm"): ModuleVerdict.UPDATED,
        ("PC-01", "fax"): ModuleVerdict.LEFT,
        ("PC-01", "own"): ModuleVerdict.NOT_RELEASED,
        ("PC-02", "crm"): ModuleVerdict.UPDATED,
        ("PC-02", "fax"): ModuleVerdict.UPDATED,
    }
    rollout = client.start(plan.label).id
    until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
    assert client.rollout(rollout).state is RolloutState.DONE
    proven = {
        (host["host"], key): value
        for host in client.report(rollout).hosts
        for step in host["steps"]
        if step["step"] == "check-health"
        for key, value in step["facts"].items()
        if key.startswith("module.")
    }
    assert proven["PC-01", "module.crm"] == "2.0"
    assert proven["PC-01", "module.fax"] == "1.0"
    assert proven["PC-02", "module.fax"] == "2.0"
