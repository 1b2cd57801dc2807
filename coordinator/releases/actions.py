"""What a profile may have run, ended or moved on a host, in words: shown before it is signed."""

from collections.abc import Callable

from agent.wire.profile import (
    ApplyKind,
    DataScope,
    Profile,
    ServiceManagerKind,
    Unattended,
    VersionKind,
    Windowless,
)


def actions(profile: Profile) -> list[str]:
    """Return every action that a profile lets an agent take, one sentence each."""
    parts = (_closing, _service_manager, _changing, _modules, _reading, _asking, _licence)
    return [sentence for part in parts for sentence in part(profile)]


def _closing(profile: Profile) -> list[str]:
    how = "in the end by force" if profile.app.kill else "at most by telling it to end"
    found = [f"closes, {how}: {_listed(profile.app.programs)}", *_forcing(profile)]
    if profile.close.quit:
        found.append(f"runs as the user, to have the app quit: {' '.join(profile.close.quit)}")
    found += [_WINDOWLESS[profile.close.windowless], *_where_nobody_answers(profile)]
    if profile.updater_programs:
        found.append(f"keeps the app's own updater closed: {_listed(profile.updater_programs)}")
    return found + _afterwards(profile)


def _forcing(profile: Profile) -> list[str]:
    asked = "may lose unsaved work: what asks about it is ended, too, once its time is over"
    found = [asked] if profile.app.kill else ["never ends what asks about unsaved work"]
    if profile.close.autosave:
        saved = _listed(profile.close.autosave)
        found.append(f"copies from the user's home, before anything is ended by force: {saved}")
    return found


def _afterwards(profile: Profile) -> list[str]:
    found = ["makes the app's files unstartable meanwhile"] if profile.close.block else []
    return found + (["opens the app again for who had it open"] if profile.close.reopen else [])


_WINDOWLESS = {
    Windowless.END: "ends what of the app runs without a window, say a nightly import",
    Windowless.WAIT: "waits for what of the app runs without a window, and never ends it",
}
_UNATTENDED = {
    Unattended.CLOSE: "closes the app in locked and disconnected sessions like everywhere",
    Unattended.ASK: "leaves the app open in locked and disconnected sessions, and says so",
}

_AWAY = {
    Unattended.CLOSE: "closes the app there politely before the others' time is over, never by "
    "force until then",
    Unattended.ASK: "leaves the app open there, and says so",
}


def _where_nobody_answers(profile: Profile) -> list[str]:
    close = profile.close
    found = [_UNATTENDED[close.unattended]]
    if close.away_minutes:
        measure = f"neither keyboard nor mouse for {close.away_minutes} min"
        found.append(f"takes who touches {measure} for away: {_AWAY[close.unattended]}")
    return found


def _service_manager(profile: Profile) -> list[str]:
    manager = profile.service_manager
    if manager.kind is ServiceManagerKind.NONE:
        return []
    if manager.kind is ServiceManagerKind.SYSTEMD:
        return [f"stops and starts the system's unit {manager.unit}"]
    return [
        f"quits {_listed(manager.programs)}",
        f"runs, below the app's folder: {' '.join(manager.start)}",
    ]


def _changing(profile: Profile) -> list[str]:
    found = [*_APPLYING[profile.apply.kind](profile), *_backing_up(profile), *_data(profile)]
    if profile.apply.stay:
        found.append(f"leaves where it is in the app's folder: {_listed(profile.apply.stay)}")
    return found


def _replacing(profile: Profile) -> list[str]:
    found = [f"replaces the app's folder: {_listed(profile.app.folders)}"]
    if profile.apply.keep:
        found.append(f"carries over: {_listed(profile.apply.keep)}")
    return found


def _installing(profile: Profile) -> list[str]:
    apply = profile.apply
    command = " ".join((apply.program, *apply.arguments))
    codes = [f"{code} = {meaning}" for code, meaning in apply.exit_codes]
    return [
        f"runs with every right, from the signed package: {command}",
        f"ends it, and all it has started, after {_time(apply.limit_seconds)}; "
        f"its exit codes: {_listed(codes)}, any other = failed",
    ]


def _packaging(profile: Profile) -> list[str]:
    apply = profile.apply
    return [
        f"has dpkg install {apply.package} from the signed package, whose scripts run with every "
        f"right, for {_time(apply.limit_seconds)} at most",
        f"packs the installed {apply.package} again first, and has dpkg install that to go back",
    ]


def _attending(profile: Profile) -> list[str]:
    return [
        f"opens the app for the person at the workstation: {' '.join(profile.apply.open)}",
        "lets them update it from inside, with what the vendor's program fetches and nobody has "
        f"signed here, for {_time(profile.apply.limit_seconds)} at most; the app may be open on "
        "that workstation meanwhile",
    ]


_APPLYING: dict[ApplyKind, Callable[[Profile], list[str]]] = {
    ApplyKind.REPLACE_FOLDER: _replacing,
    ApplyKind.INSTALLER: _installing,
    ApplyKind.PACKAGE: _packaging,
    ApplyKind.ATTENDED: _attending,
}


def _backing_up(profile: Profile) -> list[str]:
    backup = profile.backup
    what = _listed(backup.include) or "the app's folder"
    how = ", encrypted" if backup.encrypt else ""
    return [f"backs up, and keeps {backup.keep_last} times{how}: {what}"]


def _data(profile: Profile) -> list[str]:
    data = profile.data
    if not data.folders:
        return []
    folders = _listed(data.folders)
    if data.scope is DataScope.HOST:
        return [f"carries over, and brings back when it goes back: {folders}"]
    found = [
        f"backs up on the host that is {data.holder}, and restores when all go back: {folders}"
    ]
    if data.old_reads_new:
        found.append("takes one host back by itself: the old release reads the new one's data")
    return found


def _modules(profile: Profile) -> list[str]:
    modules = profile.modules
    if modules is None:
        return []
    found = [f"reads a version of each module: {modules.folder}/*/{modules.version.source}"]
    if profile.apply.kind is ApplyKind.REPLACE_FOLDER:
        found.append(
            "carries over every module that an operator leaves, or that the package does not "
            f"bring: {modules.folder}/*; brings none that is not installed"
        )
    return found


def _licence(profile: Profile) -> list[str]:
    licence = profile.licence
    found = ["is installed with a vendor's entitlement only"] if licence.required else []
    signed = f"takes an entitlement only when it is signed with the key {licence.key}"
    return found + ([signed] if licence.key else [])


def _reading(profile: Profile) -> list[str]:
    readers = [profile.app.version, profile.service_manager.version]
    found = []
    for reader in (r for r in readers if r is not None):
        if reader.kind is VersionKind.PROGRAM:
            command = " ".join((reader.source, *reader.arguments))
            found.append(f"runs without any right, to read a version: {command}")
        else:
            found.append(f"reads a version: {reader.kind} {reader.source}")
    return list(dict.fromkeys(found))


def _asking(profile: Profile) -> list[str]:
    health = profile.health
    asked = [f"port {health.port}"] if health.port else []
    asked += [health.http] if health.http else []
    found = [f"asks on the host itself: {_listed(asked)}"] if asked else []
    if profile.reach:
        found.append(f"connects to, and says nothing there: {_listed(profile.reach)}")
    return found


def _listed(items: list[str] | tuple[str, ...]) -> str:
    return ", ".join(items)


def _time(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
