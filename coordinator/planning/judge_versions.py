"""Whether a release may be put over what a host has, an older or a newer one (row S4). Pure."""

from agent.wire.contract import Finding
from agent.wire.terms import Terms
from agent.wire.versions import compares, is_in, is_older
from coordinator.model import PlannedHost
from coordinator.planning.say import blocks, warns


def version_findings(planned: PlannedHost, version: str, terms: Terms) -> list[Finding]:
    """Return what speaks against, or should be known of, putting `version` on a host."""
    return [*_downgrade(planned, version, terms), *_over(planned, version, terms)]


def _downgrade(planned: PlannedHost, version: str, terms: Terms) -> list[Finding]:
    if not is_older(version, planned.from_version):
        return []
    newer = f"{planned.name}: has {planned.from_version}, which is newer than {version}"
    if terms.downgrade:
        return [warns("downgrade-allowed", f"{newer}; it is signed as one that may go over it")]
    return [blocks("downgrade", newer, "choose a version that is not older")]


def _over(planned: PlannedHost, version: str, terms: Terms) -> list[Finding]:
    installed = planned.from_version
    if not terms.over or installed == version:
        return []
    if not compares(installed):
        what = f"its version {installed!a} cannot be compared" if installed else "its is not known"
        message = f"{planned.name}: {version} may be put over {terms.over} only, and {what}"
        return [warns("version-not-compared", message, "look at that workstation first")]
    if is_in(installed, terms.over):
        return []
    return [
        blocks(
            "version-too-old",
            f"{planned.name}: has {installed}, and {version} may be put over {terms.over} only",
            "update it to one of these versions first: roundsman release list",
        )
    ]
