"""Profiles of each kind: what each needs, what it refuses, in words that name the line."""

from pathlib import Path

import pytest

import coordinator
from agent.wire.profile import (
    Apply,
    ApplyKind,
    Backup,
    Data,
    DataScope,
    ExitMeaning,
    VersionKind,
    VersionReader,
)
from agent.wire.profile_reader import ProfileError, read_profile

_START = """[profile]
name = "app"
title = "The App"
[app]
folders = ["/opt/app"]
programs = ["bin/app"]
version = {version}
[apply]
{apply}
"""
_FILE = "{ file = \"version.txt\", pattern = '(.+)' }"
_REPLACE = 'kind = "replace-folder"'
_INSTALLER = 'kind = "installer"\nprogram = "setup/install"'
_PACKAGE = 'kind = "package"\npackage = "office-app"'
_ATTENDED = 'kind = "attended"\nopen = ["bin/app", "--update"]'


def _text(apply: str = _REPLACE, rest: str = "", version: str = _FILE) -> str:
    return _START.format(version=version, apply=apply) + rest


def _why(text: str) -> str:
    with pytest.raises(ProfileError) as refused:
        read_profile(text, "app.toml")
    return str(refused.value)


@pytest.mark.parametrize(
    ("apply", "expected"),
    [
        (
            f'{_REPLACE}\nkeep = ["prefs/**"]\nstay = ["backup", "Finance"]',
            Apply(ApplyKind.REPLACE_FOLDER, ("prefs/**",), ("backup", "Finance")),
        ),
        (
            f'{_INSTALLER}\narguments = ["--target", "{{folder}}"]\nlimit = "10 min"\n'
            "exit_codes = { done = [0], needs-reboot = [3010, 1641], cancelled = [1602] }",
            Apply(
                ApplyKind.INSTALLER,
                program="setup/install",
                arguments=("--target", "{folder}"),
                exit_codes=(
                    (0, ExitMeaning.DONE),
                    (3010, ExitMeaning.NEEDS_REBOOT),
                    (1641, ExitMeaning.NEEDS_REBOOT),
                    (1602, ExitMeaning.CANCELLED),
                ),
                limit_seconds=600.0,
            ),
        ),
        (_INSTALLER, Apply(ApplyKind.INSTALLER, program="setup/install")),
        (_PACKAGE, Apply(ApplyKind.PACKAGE, package="office-app")),
        (_ATTENDED, Apply(ApplyKind.ATTENDED, open=("bin/app", "--update"))),
    ],
)
def test_each_kind_is_read_whole(apply: str, expected: Apply) -> None:
    assert read_profile(_text(apply), "app.toml").apply == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ('{ dpkg = "office-app" }', VersionReader(VersionKind.DPKG, "office-app")),
        (
            "{ http = \"http://127.0.0.1:{port}/v\", pattern = 'v(.+)' }",
            VersionReader(VersionKind.HTTP, "http://127.0.0.1:{port}/v", "v(.+)"),
        ),
        (
            '{ program = ["bin/app", "--version"], pattern = \'v(.+)\' }',
            VersionReader(VersionKind.PROGRAM, "bin/app", "v(.+)", ("--version",)),
        ),
        (
            r"{ registry = 'HKLM\Software\App\Version' }",
            VersionReader(VersionKind.REGISTRY, r"HKLM\Software\App\Version"),
        ),
        ('{ bundle = "App.app" }', VersionReader(VersionKind.BUNDLE, "App.app")),
    ],
)
def test_each_version_reader_is_read(version: str, expected: VersionReader) -> None:
    assert read_profile(_text(version=version), "app.toml").app.version == expected


def test_backup_and_data_are_read() -> None:
    rest = """[backup]
include = ["data/**"]
keep_last = 5
encrypt = true
[data]
scope = "shared"
folders = ["data", "/srv/data", 'D:\\data']
holder = "server"
old_reads_new = true
"""

    profile = read_profile(_text(rest=rest), "app.toml")

    assert profile.backup == Backup(("data/**",), 5, encrypt=True)
    assert profile.data == Data(
        DataScope.SHARED, ("data", "/srv/data", r"D:\data"), "server", old_reads_new=True
    )


@pytest.mark.parametrize(
    ("apply", "why"),
    [
        ('kind = "installer"', 'app.toml:8: apply.program: missing: kind "installer" needs it'),
        ('kind = "package"', 'app.toml:8: apply.package: missing: kind "package" needs it'),
        ('kind = "attended"', 'app.toml:8: apply.open: missing: kind "attended" needs it'),
        (f'{_INSTALLER}\nkeep = ["a"]', 'app.toml:11: apply.keep: not used by kind "installer"'),
        (f'{_PACKAGE}\nstay = ["a"]', 'app.toml:11: apply.stay: not used by kind "package"'),
        (f'{_REPLACE}\nprogram = "a"', "app.toml:10: apply.program: not used by kind"),
        (f'{_PACKAGE}\narguments = ["a"]', "app.toml:11: apply.arguments: not used by kind"),
        (f'{_REPLACE}\npackage = "abc"', "app.toml:10: apply.package: not used by kind"),
        (f'{_INSTALLER}\nopen = ["bin/app"]', "app.toml:11: apply.open: not used by kind"),
        (f"{_REPLACE}\nlimit = 60", "app.toml:10: apply.limit: not used by kind"),
        (
            f"{_PACKAGE}\nexit_codes = {{ done = [1] }}",
            'app.toml:11: apply.exit_codes: not used by kind "package"',
        ),
        ('kind = "installer"\nprogram = "../x"', "app.toml:10: apply.program: '../x' must not"),
        ('kind = "installer"\nprogram = "/bin/sh"', "apply.program: '/bin/sh' must be below"),
        (
            'kind = "package"\npackage = "Office App"',
            "apply.package: 'Office App' is not the name",
        ),
        ('kind = "package"\npackage = "--force"', "apply.package: '--force' is not the name"),
        (
            'kind = "attended"\nopen = ["bin/other"]',
            "app.toml:10: apply.open: 'bin/other' must be one of app.programs or updater.programs",
        ),
        ('kind = "attended"\nopen = ["/bin/sh"]', "app.toml:10: apply.open: '/bin/sh' must be"),
        (f"{_INSTALLER}\nlimit = 0", "app.toml:11: apply.limit: 0 s is not within 1 to 86400 s"),
        (f"{_INSTALLER}\nlimit = 'ages'", "app.toml:11: apply.limit: must be seconds"),
        (f'{_REPLACE}\nstay = ["a/b"]', "app.toml:10: apply.stay: 'a/b' must be one name"),
        (f'{_REPLACE}\nstay = ["*"]', "app.toml:10: apply.stay: '*' must be one name"),
        (f'{_REPLACE}\nstay = [".."]', "app.toml:10: apply.stay: '..' must not"),
        (f'{_REPLACE}\nstay = "backup"', "app.toml:10: apply.stay: must be a list"),
        (
            f'{_REPLACE}\nstay = ["backup"]\nkeep = ["backup/**"]',
            "app.toml:11: apply.keep: 'backup/**' is in apply.stay, and what stays is not copied",
        ),
    ],
)
def test_an_apply_that_cannot_be_is_refused_by_line_and_key(apply: str, why: str) -> None:
    assert why in _why(_text(apply))


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        ("[0]", "must be a table"),
        ("{ done = 0 }", "done: must be a list"),
        ("{ done = [] }", "names no code for done"),
        ("{ cancelled = [2] }", "names no code for done"),
        ("{ done = [0], cancelled = [0] }", "gives one code two meanings"),
        ("{ done = [0, 0] }", "gives one code two meanings"),
        ("{ done = [-1] }", "done: must be a whole number from 0 to 4294967295"),
        ("{ done = [true] }", "done: must be a whole number"),
        ("{ done = [0], failed = [1] }", "failed: unknown key"),
        ("{ done = [0], reboot = [1] }", "reboot: unknown key"),
    ],
)
def test_exit_codes_that_cannot_be_are_refused(codes: str, why: str) -> None:
    told = _why(_text(f"{_INSTALLER}\nexit_codes = {codes}"))

    assert told.startswith("app.toml:11: apply.exit_codes: ")
    assert why in told


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("{}", "must be a table with exactly one of file, dpkg, http, program, registry, bundle"),
        ('"version.txt"', "must be a table with exactly one of"),
        ('{ file = "a", dpkg = "abc", pattern = "(a)" }', "exactly one of"),
        ('{ file = "a" }', "pattern: missing"),
        ('{ dpkg = "Not A Package" }', "dpkg: 'Not A Package' is not the name of a package"),
        ("{ http = \"http://intranet/\", pattern = '(.)' }", "http: 'http://intranet/'"),
        ("{ program = [], pattern = '(.)' }", "program: must name a program below"),
        ("{ program = [\"/bin/sh\"], pattern = '(.)' }", "program: '/bin/sh' must be"),
        ("{ program = \"bin/app\", pattern = '(.)' }", "program: must be a list"),
        ("{ registry = 'Software\\App' }", "must be HKLM\\key\\value or HKCU\\key\\value"),
        ("{ registry = 'HKLM\\App' }", "must be HKLM\\key\\value"),
        ('{ bundle = "/Applications/App.app" }', "bundle: '/Applications/App.app' must be below"),
    ],
)
def test_a_version_reader_that_cannot_be_is_refused(version: str, why: str) -> None:
    told = _why(_text(version=version))

    assert told.startswith("app.toml:7: app.version: ")
    assert why in told


@pytest.mark.parametrize(
    ("apply", "rest", "why"),
    [
        (_INSTALLER, '[backup]\ninclude = ["a"]', "app.toml:12: backup.include: not with apply"),
        (_REPLACE, "[backup]\nkeep_last = 0", "app.toml:11: backup.keep_last: must be a whole"),
        (_REPLACE, "[backup]\nkeep_last = 51", "backup.keep_last: must be a whole number from 1"),
        (_REPLACE, '[backup]\nencrypt = "yes"', "app.toml:11: backup.encrypt: must be true or"),
        (_REPLACE, '[backup]\ninclude = ["../a"]', "app.toml:11: backup.include: '../a' must"),
        (_REPLACE, '[data]\nscope = "all"', "app.toml:11: data.scope: unknown word 'all'"),
        (_REPLACE, '[data]\nscope = "shared"', 'data.folders: missing: kind "shared" needs it'),
        (
            _REPLACE,
            '[data]\nscope = "shared"\nfolders = ["/srv"]',
            'data.holder: missing: kind "shared" needs it',
        ),
        (_REPLACE, '[data]\nholder = "server"', "app.toml:11: data.holder: only used with scope"),
        (_REPLACE, "[data]\nold_reads_new = true", "data.old_reads_new: only used with scope"),
        (_REPLACE, '[data]\nfolders = ["/srv"]', "'/srv' must be a name right in the app's"),
        (_REPLACE, '[data]\nfolders = ["a/b"]', "app.toml:11: data.folders: 'a/b' must be one"),
        (
            f'{_REPLACE}\nstay = ["data"]',
            '[data]\nfolders = ["data"]',
            "app.toml:12: data.folders: 'data' is in apply.stay: data of a host go with its",
        ),
    ],
)
def test_backup_and_data_that_cannot_be_are_refused(apply: str, rest: str, why: str) -> None:
    assert why in _why(_text(apply, rest))


def test_the_profile_of_the_demo_is_read() -> None:
    file = Path(coordinator.__file__).parent / "standin" / "profile.toml"

    assert read_profile(file.read_text("utf-8"), file.name).apply.kind in ApplyKind
