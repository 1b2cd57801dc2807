"""The profile of a step that needs none: it names no program, so that nothing is done with it."""

from agent.wire.profile import (
    App,
    Apply,
    ApplyKind,
    Backup,
    Close,
    Data,
    Health,
    Profile,
    ServiceManager,
    ServiceManagerKind,
    VersionKind,
    VersionReader,
)

NOBODYS = Profile(
    name="none",
    title="",
    help="",
    app=App((), (), VersionReader(VersionKind.FILE, "version.txt"), kill=False),
    close=Close(),
    service_manager=ServiceManager(ServiceManagerKind.NONE, (), (), "", None),
    updater_programs=(),
    apply=Apply(ApplyKind.REPLACE_FOLDER),
    backup=Backup(),
    data=Data(),
    health=Health("", "", "", 1.0, 0.0),
    estimate_seconds=1.0,
    grace_seconds=0.0,
    closed_while_others_update=False,
)
