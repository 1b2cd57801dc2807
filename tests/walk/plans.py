"""Plans for simulated offices."""

from collections.abc import Sequence
from dataclasses import replace

from agent.wire.contract import Target
from coordinator.model import AfterRollBack, FailurePolicy, Plan, PlannedHost
from tests.walk.pc import VISIT_SECONDS

BEGIN = 1_000_000.0
SILENCE = 20.0


def make_plan(
    count: int = 3,
    *,
    held: Sequence[int] = (),
    ahead: Sequence[int] = (),
    servers: Sequence[int] = (),
    **changes: object,
) -> Plan:
    """Return a plan for `count` PCs pc-1..., open now, with an hour for each.

    Those `held` are not visited, nor are those `ahead`, which have the release already.
    `servers` are updated first, and the others may use the old release then.
    """
    hosts = tuple(
        PlannedHost(
            id=f"pc-{n}",
            name=f"PC-{n:02}",
            role="server" if n in servers else "client",
            from_version="1.1" if n in ahead else "1.0",
            package=Target("package", "b" * 64),
            estimate_seconds=VISIT_SECONDS,
            visited=n not in held and n not in ahead,
        )
        for n in range(1, count + 1)
    )
    plan = Plan(
        id="01HZZZZZZZZZZZZZZZZZZZZZZZ",
        app="office",
        site="paris",
        group="all",
        version="1.1",
        profile=Target("profile", "a" * 64),
        hosts=hosts,
        opens=BEGIN,
        deadline=BEGIN + 3600.0 * (count + 1),
        grace_seconds=30.0,
        step_seconds=600.0,
        silence_seconds=SILENCE,
        notice="soon",
        asked_by="ann",
        policy=FailurePolicy(retries=1, then=AfterRollBack.STOP),
        server_first="server" if servers else "",
    )
    return replace(plan, **changes)  # type: ignore[arg-type]
