"""Packs an installed Debian package again as it is now, so that there is a way back to it.

Its files come from dpkg's list, with the rights and times they have on this host; its control
data from dpkg's folder. The package is read back and compared before it counts.
"""

import os
from pathlib import Path

from agent.platforms.base import Spot
from agent.steps.apply import dpkg
from agent.steps.apply.newer_data import is_same_tree
from agent.steps.table import Failed, Refused, Work
from agent.wire.contract import Refusal

_SCRIPTS = {"preinst", "postinst", "prerm", "postrm", "config"}
_CONTROL = "DEBIAN"
_BESIDE = "beside-configuration"
_SUFFIXES = (".dpkg-dist", ".dpkg-new", ".dpkg-old", ".dpkg-tmp")


def kept_package(work: Work) -> Path:
    """Return where the package file of the old version is kept until the rollout is tidied."""
    return _folder(work) / "package.deb"


def forget(work: Work) -> None:
    """Delete what was packed."""
    work.platform.remove(Spot(_folder(work)))
    work.platform.remove(Spot(_unfinished(work)))


def repack(work: Work) -> None:
    """Have the installed package packed, verified and on the disk."""
    package, beside = work.profile.apply.package, _unfinished(work)
    found = dpkg.installed(work, package)
    if not found.is_whole:
        raise Refused(
            Refusal.APP_ABSENT, f'cannot update: the package "{package}" is not installed whole'
        )
    forget(work)
    tree = beside / "tree"
    for folder in (beside, tree, tree / _CONTROL):
        work.platform.make_folder(Spot(folder))
    tree.chmod(0o755)
    _copy_files(work, package, tree)
    _write_control(work, package, tree / _CONTROL)
    listed = _beside_conffiles(work, tree / _CONTROL)
    (beside / _BESIDE).write_text("".join(f"{path}\n" for path in listed), "utf-8")
    _build(work, beside, found.version)
    work.platform.sync_tree(beside)
    work.platform.rename(Spot(beside), Spot(_folder(work)))


def put_configuration_back(work: Work) -> None:
    """Have each configuration file of the old package as it was when it was packed."""
    tree = _folder(work) / "tree"
    before = (_folder(work) / _BESIDE).read_text("utf-8").splitlines()
    for path in _conffiles(tree / _CONTROL):
        kept, place = Spot(tree, path.lstrip("/")), _place(work, path)
        if place is not None and work.platform.look_at(kept) is not None:
            work.platform.copy(kept, place)
    for path in sorted({*_beside_conffiles(work, tree / _CONTROL)} - {*before}):
        if (place := _place(work, path)) is not None:
            work.platform.remove(place)


def _beside_conffiles(work: Work, control: Path) -> list[str]:
    """Return what dpkg has put beside configuration files that an administrator had changed."""
    possible = [path + suffix for path in _conffiles(control) for suffix in _SUFFIXES]
    places = [(path, _place(work, path)) for path in possible]
    return [p for p, place in places if place is not None and work.platform.look_at(place)]


def _copy_files(work: Work, package: str, tree: Path) -> None:
    paths = dpkg.paths_of(package)
    if dpkg.is_diverted(paths):
        raise Failed(f'cannot pack "{package}" for the way back: a file of it is diverted')
    above = {os.path.dirname(path) for path in paths}  # noqa: PTH120 - of texts
    folders = []
    for path in paths:
        source, target = _place(work, path), Spot(tree, path.lstrip("/"))
        found = work.platform.look_at(source) if source is not None else None
        if source is None or found is None:
            continue  # its administrator has deleted it
        if found.is_folder or path in above:  # /lib may be a link where the package has a folder
            work.platform.make_folder(target)
            folders.append((Spot(Path(path).resolve()) if found.is_link else source, target))
        else:
            work.platform.copy(source, target)
    for source, target in reversed(folders):  # last, since what is put into one changes its time
        work.platform.give_rights(source, target)
        work.platform.give_times(source, target)


def _place(work: Work, path: str) -> Spot | None:
    """Return where a path of a package is: below the app's folder no link is followed.

    Above it the system's own are: /lib is a link to /usr/lib. None when there is no such place.
    """
    app = work.installation.folder
    if Path(path).is_relative_to(app):
        return Spot(app, Path(path).relative_to(app).as_posix().removeprefix("."))
    above = Path(path).parent.resolve()
    return Spot(above, Path(path).name) if above.is_dir() else None


def _write_control(work: Work, package: str, control: Path) -> None:
    for path in dpkg.control_files(package):
        name = path.name.rpartition(".")[2]
        work.platform.copy(Spot(path.parent, path.name), Spot(control, name))
        (control / name).chmod(0o755 if name in _SCRIPTS else 0o644)
    (control / "control").write_text(dpkg.control_of(package), "utf-8")
    conffiles = control / "conffiles"
    if conffiles.exists():  # a package must hold each file that it calls so
        there = [p for p in _conffiles(control) if (control.parent / p.lstrip("/")).exists()]
        conffiles.write_text("".join(f"{path}\n" for path in there))
    control.chmod(0o755)


def _conffiles(control: Path) -> list[str]:
    file = control / "conffiles"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [line for line in lines if line.startswith("/")]


def _build(work: Work, beside: Path, version: str) -> None:
    package, file = work.profile.apply.package, beside / "package.deb"
    dpkg.ask(work, "dpkg-deb", "-Znone", "--build", str(beside / "tree"), str(file))
    told = dpkg.look_into(work, file)
    if told != {"Package": package, "Version": version}:
        raise Failed(f'cannot pack "{package}" for the way back: it came out as {told}')
    dpkg.ask(work, "dpkg-deb", "--raw-extract", str(file), str(beside / "read-back"))
    if not is_same_tree(work, Spot(beside, "tree"), Spot(beside, "read-back")):
        raise Failed(f'cannot pack "{package}" for the way back: it reads back differently')
    work.platform.remove(Spot(beside, "read-back"))


def _folder(work: Work) -> Path:
    return work.folders.incoming.with_name("old-package")


def _unfinished(work: Work) -> Path:
    return work.folders.incoming.with_name("old-package.part")
