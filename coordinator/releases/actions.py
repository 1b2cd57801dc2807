"""What a profile may have run, ended or moved on a host, in words: shown before it is signed."""

from agent.wire.profile import Profile, ServiceManagerKind


def actions(profile: Profile) -> list[str]:
    """Return every action that a profile lets an agent take, one sentence each."""
    return [*_closing(profile), *_service_manager(profile), *_changing(profile), *_asking(profile)]


def _closing(profile: Profile) -> list[str]:
    how = "closes, in the end by force," if profile.app.kill else "closes, never by force,"
    found = [f"{how} {_listed(profile.app.programs)}"]
    if profile.updater_programs:
        found.append(f"keeps the app's own updater closed: {_listed(profile.updater_programs)}")
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
    found = [f"replaces the app's folder: {_listed(profile.app.folders)}"]
    if profile.apply.keep:
        found.append(f"carries over: {_listed(profile.apply.keep)}")
    return found


def _asking(profile: Profile) -> list[str]:
    health = profile.health
    asked = [f"port {health.port}"] if health.port else []
    asked += [health.http] if health.http else []
    return [f"asks on the host itself: {_listed(asked)}"] if asked else []


def _listed(items: list[str] | tuple[str, ...]) -> str:
    return ", ".join(items)
