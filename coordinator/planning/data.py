"""The data a group shares: which host holds it, and what speaks against changing it. Pure.

The holder's own survey says how large the data is (`data_bytes`) and, as it knows its disks,
why it could not be backed up or brought back (`data_problem`).
"""

from collections.abc import Mapping, Sequence

from agent.wire.contract import Finding, Severity
from agent.wire.profile import DataScope, Profile
from coordinator.model import Host, HostStanding, SharedData, SurveyOf
from coordinator.planning.say import blocks

_BYTES_PER_SECOND = 40e6  # copied, and read back
_AT_LEAST_SECONDS = 5.0
_MOST_SECONDS = 86400.0

Surveys = Mapping[str, SurveyOf]


def shared_data(profile: Profile, hosts: Sequence[Host], surveys: Surveys) -> SharedData | None:
    """Return what the walk must know of the data, None when none is shared or no one holds it."""
    holders = _holders(profile, hosts)
    if len(holders) != 1:
        return None
    size = _bytes(surveys.get(holders[0].id)) or 0
    seconds = min(_AT_LEAST_SECONDS + size / _BYTES_PER_SECOND, _MOST_SECONDS)
    return SharedData(holders[0].id, profile.data.old_reads_new, round(seconds, 1))


def data_findings(profile: Profile, hosts: Sequence[Host], surveys: Surveys) -> list[Finding]:
    """Return what speaks against changing the data that the group shares."""
    if profile.data.scope is not DataScope.SHARED:
        return []
    holders = _holders(profile, hosts)
    if len(holders) != 1:
        return [_not_one(profile.data.holder, holders)]
    found = _against(holders[0], surveys.get(holders[0].id), profile)
    return found or [_to_strangers(profile), _backed_up(profile, holders[0], surveys)]


def _holders(profile: Profile, hosts: Sequence[Host]) -> list[Host]:
    if profile.data.scope is not DataScope.SHARED:
        return []
    return [h for h in hosts if h.role == profile.data.holder]


def _bytes(survey: SurveyOf | None) -> int | None:
    said = survey.facts.get("data_bytes", "") if survey else ""
    return int(said) if said.isdecimal() else None


def _not_one(role: str, holders: Sequence[Host]) -> Finding:
    if not holders:
        return blocks(
            "data-holder-missing",
            f"no workstation of the group has the role {role}, which holds the data it shares",
            f"give it to the one that does: role = {role!r} in the fleet file, then roundsman "
            "fleet import FILE; one that is gone for good must be enrolled anew",
        )
    names = ", ".join(h.name for h in holders[:5])
    return blocks(
        "data-holder-not-one",
        f"{len(holders)} workstations have the role {role}, but one holds the data: {names}",
        "give the others another role in the fleet file: roundsman fleet import FILE",
    )


def _against(holder: Host, survey: SurveyOf | None, profile: Profile) -> list[Finding]:
    name = holder.name
    if holder.standing is HostStanding.HELD:
        why = f"{name} holds the data the group shares, and is held by an operator"
        return [blocks("data-holder-held", why, f"roundsman fleet release {name}")]
    if survey is None or survey.problem:
        why = f"{name} holds the data the group shares, and cannot be asked about it"
        mend = f"switch {name} on; see roundsman fleet show {name}"
        return [blocks("data-holder-silent", why, mend)]
    if _bytes(survey) is None:
        why = f"{name} holds the data the group shares, but none of its folders is there"
        mend = f"name them in {name}'s agent.toml: data = [...] under [apps.{profile.name}]"
        return [blocks("data-absent", why, mend)]
    if problem := survey.facts.get("data_problem", ""):
        mend = "make room on that disk, or have the data in a plain folder of it"
        return [blocks("data-cannot-be-kept", f"{name}: {problem}"[:500], mend)]
    return []


def _backed_up(profile: Profile, holder: Host, surveys: Surveys) -> Finding:
    size = (_bytes(surveys.get(holder.id)) or 0) / 1e6
    back = "hosts can be rolled back one by one"
    if not profile.data.old_reads_new:
        back = "after that no host is rolled back alone, as the old release cannot read it"
    message = (
        f"{holder.name} backs up the data the group shares, {size:,.1f} MB, before the first "
        f"visit; {back}"
    )
    return Finding("data-backed-up", Severity.NOTE, message)


def _to_strangers(profile: Profile) -> Finding:
    return Finding(
        "data-open-to-others",
        Severity.WARNING,
        f"the data of {profile.title or profile.name} is shared: a machine that is not enrolled "
        "may open it during the update, and nothing here closes it there",
        "enrol every machine that opens it, or close the share to the others meanwhile",
    )
