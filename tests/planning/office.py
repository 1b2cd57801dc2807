"""An office to plan for: hosts, what they said, packages, a profile."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import coordinator
from agent.wire.contract import Finding, Target
from agent.wire.profile import Data, Profile
from agent.wire.profile_reader import read_profile
from coordinator.model import Host, HostStanding, SurveyOf
from coordinator.planning.plan import Basis, PackageChoice, PlanRequest
from coordinator.planning.window import Span, Window, Within

NOW = 1_773_133_200.0  # 2026-03-10 09:00 UTC
ID = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
_PROFILE = Path(coordinator.__file__).parent / "profiles" / "impact-emploi.toml"


def make_profile(**changes: Any) -> Profile:
    profile = read_profile(_PROFILE.read_text(encoding="utf-8"), _PROFILE.name)
    plain: dict[str, Any] = {"estimate_seconds": 60.0, "grace_seconds": 30.0, "data": Data()}
    return replace(profile, **plain | changes)


def make_host(name: str, **changes: Any) -> Host:
    host = Host(
        id=f"{name.lower()}-1a2b3c",
        name=name,
        site="lyon",
        group="all",
        role="workstation",
        order=0,
        standing=HostStanding.ENROLLED,
    )
    return replace(host, **changes)


def said(version: str = "1.0", *findings: Finding, **facts: str) -> SurveyOf:
    return SurveyOf({"app_version": version, "system": "linux"} | facts, findings)


def package(role: str = "workstation", system: str = "linux") -> PackageChoice:
    return PackageChoice(Target(f"office/1.1/{role}-{system}.json", "b" * 64), role, system)


def make_basis(
    hosts: Sequence[Host], surveys: Mapping[str, SurveyOf] | None = None, **changes: Any
) -> Basis:
    """Return a basis in which every host said that it has 1.0, but for `surveys` (by name)."""
    by_name = surveys or {}
    basis = Basis(
        profile=make_profile(),
        profile_target=Target("profiles/office.toml", "a" * 64),
        hosts=hosts,
        surveys={h.id: by_name.get(h.name, said()) for h in hosts},
        packages=[package()],
        slowest={},
        now=NOW,
    )
    return replace(basis, **changes)


def make_request(window: str | Within | Span = "", **changes: Any) -> PlanRequest:
    request = PlanRequest(
        id=ID,
        app="office",
        version="1.1",
        site="lyon",
        group="all",
        asked_by="ann",
        window=Window.parse(window) if window and isinstance(window, str) else window or None,
    )
    return replace(request, **changes)
