"""A plan for tests: some workstations of one group, from 1.0 to 1.1."""

import time
from dataclasses import replace
from typing import Any

from agent.wire.contract import Target
from coordinator.model import Plan, PlannedHost

PROFILE = Target("profiles/office-demo.toml", "a" * 64)
PACKAGE = Target("packages/office-demo/1.1/workstation-linux.json", "b" * 64)


def make_plan(hosts: int = 3, **changes: Any) -> Plan:
    """Return a plan that begins now and has until tomorrow."""
    now = time.time()
    plan = Plan(
        id="01JD0000000000000000000000",
        app="office-demo",
        site="main",
        group="office",
        version="1.1",
        profile=PROFILE,
        hosts=tuple(
            PlannedHost(f"pc-{n:02}-abcdef", f"PC-{n:02}", "workstation", "1.0", PACKAGE, 60.0)
            for n in range(1, hosts + 1)
        ),
        opens=now - 1,
        deadline=now + 86400,
        grace_seconds=60,
        step_seconds=60,
        silence_seconds=5,
        notice="Office is being updated",
        asked_by="ann",
    )
    return replace(plan, **changes)


def numbered(n: int) -> str:
    """Return a rollout id."""
    return f"01JD{n:022d}"
