"""The app's modules on this host: which are there, which stay as they are, what became of them.

A module is a folder right in the folder that the profile names; a link or a file is none. Which
of them an update leaves is in the order; the agent looks up the names on its own disk and in the
signed package, and uses nothing else of what the order says. What the package does not bring is
never lost with the old release, and what is not installed here does not come with the new one.
"""

import glob
import json
import re
from dataclasses import replace

from agent.platforms.base import Spot
from agent.steps.table import Failed, Work
from agent.steps.versions import Reading, read_version
from agent.wire.contract import Finding, Severity, StepName
from agent.wire.manifest import Manifest
from agent.wire.profile import ApplyKind
from agent.wire.terms import MODULE_FACT
from agent.wire.versions import is_updated_along

MOST_TOLD = 40
_TOLD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,32}")  # with MODULE_FACT 40 characters
_BEFORE = "modules"


def survey_modules(work: Work) -> None:
    """Tell each installed module's version as a fact, and what cannot be told as a finding."""
    if work.profile.modules is None:
        return
    _look_at_folder(work)
    names = _installed(work)
    told = [name for name in names if _TOLD.fullmatch(name)][:MOST_TOLD]
    for name in told:
        reading = _reading(work, name)
        work.fact(MODULE_FACT + name, reading.version)
        if not reading.version:
            _warn(work, "module-unread", f"module {name}: {reading.why}")
    if untold := sorted(set(names) - set(told)):
        shown = ", ".join(name[:40] for name in untold[:3])
        _warn(
            work,
            "modules-untold",
            f"{len(untold)} of {len(names)} modules are not judged, {shown!a} among them: "
            f"at most {MOST_TOLD} are, with names of letters, digits, . _ and - up to 33",
        )


def _look_at_folder(work: Work) -> None:
    found = work.platform.look_at(_folder(work))
    if found is not None and not found.is_folder:
        text = f'"{_folder(work)}" is a link or a file: its modules cannot be judged'
        fix = "have the modules in a plain folder, or take [modules] out of the profile"
        work.find(Finding("modules-unreadable", Severity.BLOCKS, text[:500], fix))


def kept_modules(work: Work, manifest: Manifest) -> tuple[str, ...]:
    """Return patterns of the installed modules that are carried over as they are."""
    if work.profile.modules is None:
        return ()
    brought, folder = _brought(work, manifest), work.profile.modules.folder
    stay = [n for n in _installed(work) if n in work.params.leaves or n not in brought]
    return tuple(f"{glob.escape(folder)}/{glob.escape(name)}" for name in stay)


def without_left(work: Work, manifest: Manifest) -> Manifest:
    """Return the manifest without the modules that are not put in place on this host."""
    left = _left_out(work, manifest)
    files = tuple(e for e in manifest.files if _module_of(work, e.path) not in left)
    return replace(manifest, files=files) if left else manifest


def clear_left(work: Work, manifest: Manifest) -> None:
    """Delete from `folders.incoming` the modules that are not put in place on this host."""
    if work.profile.modules is None:
        return
    for name in sorted(_left_out(work, manifest)):
        path = f"{work.profile.modules.folder}/{name}"
        work.platform.remove(Spot(work.folders.incoming, path))


def remember_modules(work: Work) -> None:
    """Keep which modules were there, and their versions, before anything is changed."""
    if work.profile.modules is None or work.memo.get(_BEFORE) is not None:
        return
    terms = {module.name for module in _manifest(work).terms.modules}
    names = [n for n in _installed(work) if n in terms or n in work.params.leaves]
    work.memo.put(_BEFORE, json.dumps({name: _reading(work, name).version for name in names}))


def confirm_modules(work: Work) -> str:
    """Return why the modules are not as they were to be, "" when they are; tells them as facts."""
    if work.profile.modules is None or work.params.package is None:
        return ""
    survey_modules(work)
    before = _before(work)
    for name, wanted in _wanted(work, before).items():
        if (found := _reading(work, name).version) != wanted:
            return f"module {name} says {found or 'nothing'}, not {wanted or 'nothing'}"
    came = (_optional(_manifest(work)) - set(before)).intersection(_installed(work))
    if came and work.profile.apply.kind is ApplyKind.REPLACE_FOLDER:
        return f"module {min(came)} is there, and was not before"
    return ""


def confirm_old_modules(work: Work) -> None:
    """Raise `Failed` unless every module is again what it was before the update."""
    if work.profile.modules is None:
        return
    for name, version in _before(work).items():
        if (found := _reading(work, name).version) != version:
            raise Failed(
                f"cannot confirm that it went back: module {name} says {found or 'nothing'}, "
                f"not {version or 'nothing'}"
            )


def _wanted(work: Work, before: dict[str, str]) -> dict[str, str]:
    """Return the version that each module must have after the update, where that is known."""
    brings = {m.name: m for m in _manifest(work).terms.modules if m.version}
    whole = work.profile.apply.kind is ApplyKind.REPLACE_FOLDER
    wanted = {}
    for name, version in before.items():
        along = name in brings and name not in work.params.leaves
        if along and (whole or is_updated_along(brings[name], version)):
            wanted[name] = brings[name].version
        elif whole:
            wanted[name] = version
    return wanted


def _before(work: Work) -> dict[str, str]:
    kept = json.loads(work.memo_of(StepName.APPLY_RELEASE).get(_BEFORE) or "{}")
    return {str(name): str(version) for name, version in kept.items()}


def _manifest(work: Work) -> Manifest:
    if work.params.package is None:
        raise Failed("cannot judge the modules: the order names no package")
    return work.packages.manifest(work.params.package)


def _folder(work: Work) -> Spot:
    folder = work.profile.modules.folder if work.profile.modules else ""
    return Spot(work.installation.folder, folder)


def _installed(work: Work) -> list[str]:
    folder = _folder(work)
    found = ((name, work.platform.look_at(folder.below(name))) for name in _names(work, folder))
    return [name for name, item in found if item is not None and item.is_folder]


def _names(work: Work, folder: Spot) -> list[str]:
    found = work.platform.look_at(folder)
    return work.platform.names(folder) if found is not None and found.is_folder else []


def _reading(work: Work, name: str) -> Reading:
    rules = work.profile.modules
    if rules is None or name not in _names(work, _folder(work)):
        return Reading("", "it is not installed")
    path = f"{rules.folder}/{name}/{rules.version.source}"
    return read_version(work, replace(rules.version, source=path))


def _module_of(work: Work, path: str) -> str:
    """Return in which module's folder a file of the package is, "" when in none."""
    folder = work.profile.modules.folder if work.profile.modules else ""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == folder else ""


def _brought(work: Work, manifest: Manifest) -> set[str]:
    return {_module_of(work, entry.path) for entry in manifest.files} - {""}


def _optional(manifest: Manifest) -> set[str]:
    """Return which modules of a package are for those who have them already."""
    return {module.name for module in manifest.terms.modules if module.version}


def _left_out(work: Work, manifest: Manifest) -> set[str]:
    """Return which modules of the package are not put in place here."""
    if work.profile.modules is None:
        return set()
    here, optional = set(_installed(work)), _optional(manifest)
    return {
        name
        for name in _brought(work, manifest)
        if name in work.params.leaves or (name in optional and name not in here)
    }


def _warn(work: Work, code: str, message: str) -> None:
    work.find(Finding(code, Severity.WARNING, message[:500]))
