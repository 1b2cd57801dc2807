"""The modules gate: what becomes of each host's modules, ticked by themselves (row S5). Pure.

What the agent is told to leave is what an operator has unticked, and what the package brings but
may not be put over the one installed. A tick taken off takes nothing but that module's update
out of a plan: it never mends anything that speaks against it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.wire.contract import Finding
from agent.wire.profile import ApplyKind, Profile
from agent.wire.terms import MODULE_FACT, ModuleTerms, Terms
from agent.wire.versions import is_in, is_updated_along
from coordinator.model import ModuleVerdict, PlannedHost, PlannedModule
from coordinator.planning.say import blocks, warns

_V = ModuleVerdict
_IS_ONE = re.compile(re.escape(MODULE_FACT) + r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}").fullmatch
_MOST_VERSION = 64
_MOST_NAMED = 12
_PLAN_AGAIN = "see the modules of this plan, and plan again"
UNTOLD = "modules-untold"
"""The finding of a survey that has not told every module: users may make folders there."""


@dataclass(frozen=True, slots=True)
class Leave:
    """A module that is not to be updated along, on one host or ("") on all."""

    module: str
    host: str = ""

    @classmethod
    def parse(cls, text: str) -> "Leave":
        """Return what "MODULE" or "MODULE@HOST" means."""
        module, _, host = text.partition("@")
        return cls(module, host)

    def means(self, planned: PlannedHost) -> bool:
        """True when this host is meant."""
        return self.host.lower() in {"", planned.name.lower(), planned.id.lower()}

    def __str__(self) -> str:
        return f"{self.module}@{self.host}" if self.host else self.module


def installed_modules(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the version of each module that a host has told of, by name; "" = not read."""
    told = ((key.removeprefix(MODULE_FACT), facts[key]) for key in sorted(facts) if _IS_ONE(key))
    return {name: version if _is_told(version) else "" for name, version in told}


def _is_told(version: str) -> bool:
    return version.isprintable() and len(version) <= _MOST_VERSION


def with_modules(
    planned: PlannedHost,
    terms: Terms,
    installed: Mapping[str, str],
    asked: tuple[Profile, Sequence[Leave]],
) -> PlannedHost:
    """Return the host with what becomes of each of its modules, and which the agent leaves."""
    profile, leave = asked
    left = {one.module for one in leave if one.means(planned)}
    known = {module.name: module for module in terms.modules}
    modules, leaves = [], []
    for name, version in installed.items():
        verdict = verdict_of(known.get(name), version, is_left=name in left)
        brought = known[name].version if name in known else ""
        to = brought if verdict is _V.UPDATED else version
        modules.append(PlannedModule(name, version, to, verdict))
        if name in left or (brought and brought != version and verdict is not _V.UPDATED):
            leaves.append(name)
    whole = profile.apply.kind is ApplyKind.REPLACE_FOLDER
    return replace(planned, modules=tuple(modules), leaves=tuple(leaves) if whole else ())


def verdict_of(terms: ModuleTerms | None, installed: str, *, is_left: bool) -> ModuleVerdict:
    """Return what becomes of an installed module; None = the release does not speak of it."""
    if terms is None:
        return _V.NOT_RELEASED
    along = is_updated_along(terms, installed)
    if along and not is_left:
        return _V.UPDATED
    works, newer = is_in(installed, terms.works), _brings_another(terms, installed)
    return next(
        verdict
        for holds, verdict in (
            (works and along, _V.LEFT),
            (works and newer, _V.NOT_UPDATABLE),
            (works, _V.COMPATIBLE),
            (terms.needed, _V.BLOCKS),
            (newer and not along, _V.NOT_UPDATABLE),
            (True, _V.NOT_RELEASED),
        )
        if holds
    )


def _brings_another(terms: ModuleTerms, installed: str) -> bool:
    """True when the release brings one that may be newer, and that the range keeps out."""
    return bool(terms.version) and not is_in(installed, terms.updates)


def module_findings(planned: PlannedHost, version: str, terms: Terms) -> list[Finding]:
    """Return what should be known of a host's modules before this version is put there."""
    if not terms.modules:
        return []  # the release says nothing of modules: the plan as a whole says so once
    return [
        _FOUND[module.verdict](planned, module, version)
        for module in planned.modules
        if module.verdict in _FOUND
    ]


def untold_findings(
    planned: PlannedHost, version: str, terms: Terms, surveyed: Sequence[Finding]
) -> list[Finding]:
    """Return what blocks a host that has more modules than it tells, where one may be needed."""
    told = {module.name for module in planned.modules}
    unseen = [m.name for m in terms.modules if m.needed and m.name not in told]
    if not unseen or UNTOLD not in {finding.code for finding in surveyed}:
        return []
    text = f"{planned.name}: whether {unseen[0]} works with {version} is not known: not all of its"
    fix = "delete folders there that are no modules, or hold the workstation"
    return [blocks("module-unseen", f"{text} modules are told", fix)]


def leave_findings(
    hosts: Sequence[PlannedHost], profile: Profile, leave: Sequence[Leave]
) -> list[Finding]:
    """Return why what was unticked cannot be left; a slip of the pen would update it."""
    if leave and profile.apply.kind is not ApplyKind.REPLACE_FOLDER:
        text = f"cannot leave {', '.join(map(str, leave))}: {_UPDATES_ITSELF[profile.apply.kind]}"
        return [blocks("leave-not-possible", text, "plan again without --leave")]
    return [
        blocks("leave-unknown", f"cannot leave {one}: {why}"[:500], _PLAN_AGAIN)
        for one in leave
        if (why := _why_unknown(one, hosts))
    ]


def _why_unknown(one: Leave, hosts: Sequence[PlannedHost]) -> str:
    """Return why nothing is meant by it, with what there is; "" when something is."""
    meant = [host for host in hosts if one.means(host)]
    if not meant:
        return f"no such workstation is in this plan, only: {_listed(h.name for h in hosts)}"
    installed = {module.name for host in meant for module in host.modules}
    if one.module in installed:
        return ""
    where = meant[0].name if one.host else "any workstation of this plan"
    there = f"; there are: {_listed(sorted(installed))}" if installed else ", nor any other"
    return f"no such module is installed on {where}{there}"


def _listed(names: Iterable[str]) -> str:
    """Return the first of them, and how many more there are."""
    found = list(names)
    more = [f"and {len(found) - _MOST_NAMED} more"] * (len(found) > _MOST_NAMED)
    return ", ".join([*found[:_MOST_NAMED], *more])


def silent_findings(hosts: Sequence[PlannedHost], terms: Sequence[Terms]) -> list[Finding]:
    """Return a warning where hosts have modules and the release says nothing of any."""
    if any(one.modules for one in terms) or not any(h.modules for h in hosts if h.visited):
        return []
    text = "the release says nothing of modules: whether those installed work with it is not known"
    return [warns("modules-not-judged", text, "ask the vendor, or look at the release's notes")]


def _shown(module: PlannedModule) -> str:
    return f"{module.name} {module.from_version or '(version not read)'}"


def _not_released(planned: PlannedHost, module: PlannedModule, version: str) -> Finding:
    text = f"{planned.name}: module {_shown(module)} is not released for {version}, and stays"
    return warns("module-not-released", text, f"ask the vendor of {module.name} first")


def _not_updatable(planned: PlannedHost, module: PlannedModule, version: str) -> Finding:
    text = (
        f"{planned.name}: module {_shown(module)} cannot be updated to the one that {version} "
        "brings, and stays"
    )
    return warns("module-not-updatable", text, f"update {module.name} by hand first")


def _blocking(planned: PlannedHost, module: PlannedModule, version: str) -> Finding:
    return blocks(
        "module-blocks",
        f"{planned.name}: module {_shown(module)} does not work with {version}, and is needed",
        f"have {module.name} updated along, or by hand first; or hold the workstation: "
        f"roundsman fleet hold {planned.name}",
    )


_FOUND = {
    _V.NOT_RELEASED: _not_released,
    _V.NOT_UPDATABLE: _not_updatable,
    _V.BLOCKS: _blocking,
}
_UPDATES_ITSELF = {
    ApplyKind.INSTALLER: "the vendor's installer updates the modules by itself",
    ApplyKind.PACKAGE: "the package's own scripts update the modules",
    ApplyKind.ATTENDED: "the person at the workstation updates the app from inside it",
}
