"""What a profile lets an agent do is shown in plain words before it is signed."""

from dataclasses import replace
from pathlib import Path

import pytest

import coordinator
from agent.wire.profile import (
    Apply,
    ApplyKind,
    Backup,
    Close,
    Data,
    DataScope,
    ExitMeaning,
    Licence,
    Modules,
    Profile,
    Unattended,
    VersionKind,
    VersionReader,
    Windowless,
)
from agent.wire.profile_reader import read_profile
from coordinator.releases.actions import actions

_DEMO = Path(coordinator.__file__).parent / "standin" / "profile.toml"


@pytest.fixture
def profile() -> Profile:
    return read_profile(_DEMO.read_text("utf-8"), _DEMO.name)


def _told(profile: Profile, **changes: object) -> str:
    return "\n".join(actions(replace(profile, **changes)))  # type: ignore[arg-type]


def test_how_the_app_is_closed_and_what_is_never_done(profile: Profile) -> None:
    gentle = replace(profile.app, kill=False)

    told = _told(profile, app=gentle, close=Close())

    assert "closes, at most by telling it to end" in told
    assert "never ends what asks about unsaved work" in told
    assert "waits for what of the app runs without a window, and never ends it" in told
    assert "closes the app in locked and disconnected sessions" in told
    assert not any(word in told for word in ("copies from", "unstartable", "opens the app again"))


def test_every_force_and_every_command_that_closing_may_use(profile: Profile) -> None:
    close = Close(
        quit=("bin/app", "--quit"),
        windowless=Windowless.END,
        unattended=Unattended.ASK,
        autosave=("Office/autosave/**",),
        block=True,
        reopen=True,
    )

    told = _told(profile, app=replace(profile.app, kill=True), close=close)

    assert "closes, in the end by force" in told
    assert "may lose unsaved work" in told
    assert "runs as the user, to have the app quit: bin/app --quit" in told
    assert "ends what of the app runs without a window" in told
    assert "leaves the app open in locked and disconnected sessions" in told
    assert "from the user's home, before anything is ended by force: Office/autosave/**" in told
    assert "makes the app's files unstartable meanwhile" in told
    assert "opens the app again for who had it open" in told


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Unattended.CLOSE, "closes the app there politely before the others' time is over"),
        (Unattended.ASK, "leaves the app open there, and says so"),
    ],
)
def test_what_becomes_of_the_app_of_who_is_away(
    profile: Profile, policy: Unattended, said: str
) -> None:
    told = _told(profile, close=Close(unattended=policy, away_minutes=15))

    assert f"neither keyboard nor mouse for 15 min for away: {said}" in told
    assert "for away" not in _told(profile, close=Close(unattended=policy))


def test_a_folder_that_is_replaced(profile: Profile) -> None:
    apply = Apply(ApplyKind.REPLACE_FOLDER, keep=("prefs/**",), stay=("backup", "finance"))

    told = _told(profile, apply=apply)

    assert f"replaces the app's folder: {', '.join(profile.app.folders)}" in told
    assert "carries over: prefs/**" in told
    assert "leaves where it is in the app's folder: backup, finance" in told


def test_an_installer_its_rights_its_limit_and_its_codes(profile: Profile) -> None:
    codes = ((0, ExitMeaning.DONE), (3010, ExitMeaning.NEEDS_REBOOT))
    apply = Apply(
        ApplyKind.INSTALLER,
        program="setup.exe",
        arguments=("/quiet", "{folder}"),
        exit_codes=codes,
    )

    told = _told(profile, apply=apply)

    assert "runs with every right, from the signed package: setup.exe /quiet {folder}" in told
    assert (
        "after 30 min; its exit codes: 0 = done, 3010 = needs-reboot, any other = failed" in told
    )
    assert "replaces" not in told


def test_a_package_of_the_system(profile: Profile) -> None:
    told = _told(profile, apply=Apply(ApplyKind.PACKAGE, package="office-app"))

    assert "has dpkg install office-app from the signed package" in told
    assert "scripts run with every right" in told
    assert "packs the installed office-app again first" in told


def test_an_update_by_the_person_at_the_workstation_and_that_nobody_signed_it(
    profile: Profile,
) -> None:
    apply = Apply(ApplyKind.ATTENDED, open=("bin/app", "--update"), limit_seconds=45.0)

    told = _told(profile, apply=apply)

    assert "opens the app for the person at the workstation: bin/app --update" in told
    assert "nobody has signed here, for 45 s at most" in told


def test_backups_and_data(profile: Profile) -> None:
    told = _told(profile, backup=Backup(("data/**",), 3, encrypt=True), data=Data(folders=("db",)))
    assert "backs up, and keeps 3 times, encrypted: data/**" in told
    assert "carries over, and brings back when it goes back: db" in told

    told = _told(profile, backup=Backup(), data=Data(DataScope.SHARED, ("/srv/db",), "server"))
    assert "backs up, and keeps 2 times: the app's folder" in told
    assert "on the host that is server, and restores when all go back: /srv/db" in told
    assert "the old release reads" not in told
    shared = Data(DataScope.SHARED, ("/srv/db",), "server", old_reads_new=True)
    assert "the old release reads the new one's data" in _told(profile, data=shared)


def test_a_program_that_is_run_to_read_a_version(profile: Profile) -> None:
    reader = VersionReader(VersionKind.PROGRAM, "bin/app", "(.+)", ("--version",))

    told = _told(profile, app=replace(profile.app, version=reader))

    assert "runs without any right, to read a version: bin/app --version" in told
    assert "reads a version: file VERSION" in told


def test_modules_licences_and_addresses(profile: Profile) -> None:
    reader = VersionReader(VersionKind.FILE, "module.txt", "(.+)")
    changes = {"modules": Modules("modules", reader), "reach": ("vendor.example:443",)}

    told = _told(profile, licence=Licence(required=True, key="abc="), **changes)

    assert "reads a version of each module: modules/*/module.txt" in told
    assert "carries over every module that an operator leaves" in told
    assert "is installed with a vendor's entitlement only" in told
    assert "only when it is signed with the key abc=" in told
    assert "connects to, and says nothing there: vendor.example:443" in told
    assert "entitlement" not in _told(profile)


@pytest.mark.parametrize("name", ["impact-emploi", "starface", "office-maker"])
def test_each_profile_that_ships_is_told_in_bounded_lines(name: str) -> None:
    file = Path(coordinator.__file__).parent / "profiles" / f"{name}.toml"

    told = actions(read_profile(file.read_text("utf-8"), file.name))

    assert len(told) >= 6
    assert all(sentence.isprintable() for sentence in told)
