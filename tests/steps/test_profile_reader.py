from pathlib import Path

import pytest

import coordinator
from agent.wire.profile import DataScope, ServiceManagerKind
from agent.wire.profile_reader import ProfileError, read_profile

_SHIPPED = Path(coordinator.__file__).parent / "profiles"
GOOD = r"""
[profile]
name = "app"
title = "The App"
help = "call us"
estimate = "4 min"
grace = 90

[app]
folders = ['C:\The App', "/opt/app"]
programs = ["bin/app", "app.exe"]
kill = true
version = { file = "version.txt", pattern = '^v(.+)$' }

[service_manager]
kind = "systemd"
unit = "app.service"

[apply]
kind = "replace-folder"
keep = ["prefs/**"]

[health]
port = 8080
http = "http://127.0.0.1:{port}/version"
http_pattern = '"(.+)"'
timeout = "1.5 min"
soak = "2 s"
"""


_AWAY = "app.toml:20: close.away_minutes: must be a whole number from 0 to 600"


def test_a_good_profile_is_read_whole() -> None:
    profile = read_profile(GOOD, "app.toml")

    assert profile.name == "app"
    assert profile.estimate_seconds == 240
    assert profile.grace_seconds == 90
    assert profile.app.folders == (r"C:\The App", "/opt/app")
    assert profile.app.kill
    assert profile.service_manager.kind is ServiceManagerKind.SYSTEMD
    assert profile.service_manager.version is None
    assert profile.data.scope is DataScope.HOST
    assert profile.apply.keep == ("prefs/**",)
    assert profile.backup.include == ()
    assert profile.health.port == "8080"
    assert profile.health.timeout_seconds == 90
    assert profile.closed_while_others_update
    assert profile.close.away_minutes == 0


@pytest.mark.parametrize("name", ["impact-emploi", "starface", "office-maker"])
def test_each_profile_that_ships_is_read_without_error(name: str) -> None:
    file = _SHIPPED / f"{name}.toml"

    profile = read_profile(file.read_text("utf-8"), file.name)

    assert profile.name == name
    assert "modelled on the published procedure" in file.read_text("utf-8")
    assert any(folder[1] == ":" for folder in profile.app.folders)
    assert any(folder.startswith("/") for folder in profile.app.folders)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('title = "The App"', "", "app.toml:2: profile.title: missing"),
        ('title = "The App"', "title = 3", "app.toml:4: profile.title: must be a text"),
        ('title = "The App"', 'title = ""', "profile.title: must have 1 to 500"),
        ('"The App"', r'"The\u0007App"', "app.toml:4: profile.title: has control"),
        ('"The App"', r'"The\u202EApp"', "app.toml:4: profile.title: has control"),
        ('name = "app"', 'name = "The App"', "app.toml:3: profile.name: must be small"),
        ('help = "call us"', 'hepl = "x"', "app.toml:5: profile.hepl: unknown key; known are"),
        ("[apply]", "[aply]", "app.toml:19: aply: unknown section"),
        ("[apply]", "[walk]\nx = 1\n[apply]", "app.toml:20: walk.x: unknown key"),
        ('kind = "systemd"', 'kind = "cron"', "app.toml:16: service_manager.kind: unknown word"),
        ('kind = "systemd"', "kind = 1", "app.toml:16: service_manager.kind: unknown word 1"),
        ('unit = "app.service"', "", "app.toml:15: service_manager.unit: missing"),
        ('unit = "app.service"', 'unit = "a/b"', "service_manager.unit: 'a/b' is not the name"),
        ('unit = "app.service"', 'unit = "--now"', "'--now' is not the name of a service"),
        ('kind = "systemd"', 'kind = "none"', "service_manager.unit: not used by kind"),
        ('kind = "systemd"', 'kind = "program"', "service_manager.programs: missing"),
        ('"replace-folder"', '"msi"', "app.toml:20: apply.kind: unknown word 'msi'"),
        ('kind = "replace-folder"', "", "app.toml:19: apply.kind: missing"),
        ('"prefs/**"', '"../x"', "app.toml:21: apply.keep: '../x' must not have .."),
        ('"prefs/**"', '"/etc/x"', "app.toml:21: apply.keep: '/etc/x' must be below"),
        ('"prefs/**"', r'"C:\\x"', "apply.keep: 'C:\\\\x' must be below"),
        ('"prefs/**"', '"a//b"', "apply.keep: 'a//b' must not have .. or empty"),
        ('["prefs/**"]', '"prefs/**"', "apply.keep: must be a list"),
        ('"bin/app"', '"../../bin/sh"', "app.toml:11: app.programs: '../../bin/sh' must not"),
        ('"bin/app"', '"/bin/sh"', "app.toml:11: app.programs: '/bin/sh' must be below"),
        ('["bin/app", "app.exe"]', "[]", "app.toml:11: app.programs: must not be empty"),
        ('"/opt/app"', '"opt/app"', "app.toml:10: app.folders: 'opt/app' must be an absolute"),
        ('"/opt/app"', '"/opt/../etc"', "app.folders: '/opt/../etc' must not have .."),
        ('"/opt/app"', '"/"', "app.folders: '/' must not"),
        ("kill = true", 'kill = "yes"', "app.toml:12: app.kill: must be true or false"),
        ("'^v(.+)$'", "'^v(.+$'", "app.version: pattern: not a regular expression"),
        ("'^v(.+)$'", "'^v.+$'", "app.toml:13: app.version: pattern: needs a group"),
        (
            'file = "version.txt", ',
            "",
            "app.toml:13: app.version: must be a table with exactly one of file, dpkg",
        ),
        ('file = "version.txt"', 'file = "../v"', "app.version: file: '../v' must not"),
        ('"version.txt",', '"version.txt", x = 1,', "app.version: x: unknown key"),
        ('"4 min"', '"4 days"', 'app.toml:6: profile.estimate: must be seconds, or a text as "90'),
        ('"4 min"', "true", "app.toml:6: profile.estimate: must be seconds"),
        ('"4 min"', "nan", "app.toml:6: profile.estimate: must be seconds"),
        ('"4 min"', '"25 h"', "profile.estimate: 90000 s is not within 1 to 86400 s"),
        ("grace = 90", "grace = -1", "app.toml:7: profile.grace: -1 s is not within"),
        ("port = 8080", "port = 0", "app.toml:24: health.port: must be a number from 1"),
        ("port = 8080", "port = 65536", "health.port: must be a number from 1"),
        ("port = 8080", 'port = "http"', "health.port: must be a number from 1"),
        ("127.0.0.1", "intranet", "app.toml:25: health.http: 'http://intranet:{port}/version'"),
        ("http://127", "file://127", "health.http: 'file://127.0.0.1:{port}/version' must be"),
        ("http_pattern = '\"(.+)\"'", "", "app.toml:25: health.http: http and http_pattern go"),
        ("kill = true", "kill = true\nkill = true", "app.toml:13: profile: not TOML"),
        ("kill = true", "kill = ", "app.toml:12: profile: not TOML"),
        ("[apply]", "[[apply]]", "app.toml:1: apply: must be a section"),
        ("[apply]", "[close]\naway_minutes = -1\n[apply]", _AWAY),
        ("[apply]", "[close]\naway_minutes = 601\n[apply]", _AWAY),
        ("[apply]", "[close]\naway_minutes = 1.5\n[apply]", _AWAY),
        ("[apply]", "[close]\naway_minutes = true\n[apply]", _AWAY),
        ("[apply]", "[close]\naway_minutes = '15 min'\n[apply]", _AWAY),
    ],
)
def test_what_is_not_known_is_refused_by_file_line_and_key(old: str, new: str, error: str) -> None:
    assert old in GOOD

    with pytest.raises(ProfileError) as refused:
        read_profile(GOOD.replace(old, new, 1), "app.toml")

    assert error in str(refused.value)


def test_a_text_that_is_no_section_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"app\.toml:1: walk: must be a section"):
        read_profile(f"walk = 3\n{GOOD}", "app.toml")


def test_a_profile_without_its_sections_says_what_is_missing() -> None:
    with pytest.raises(ProfileError, match=r"x\.toml:1: profile\.name: missing"):
        read_profile("", "x.toml")


def test_an_endless_profile_is_not_read() -> None:
    with pytest.raises(ProfileError, match="longer than"):
        read_profile("#" * 300_000, "x.toml")


def test_too_many_entries_are_refused() -> None:
    many = ", ".join(f'"{i}"' for i in range(101))

    with pytest.raises(ProfileError, match="a list of at most 100"):
        read_profile(GOOD.replace('"prefs/**"', many), "x.toml")


_MODULES = (
    "[modules]\nfolder = 'modules'\nversion = { file = 'module.txt', pattern = '^v(.+)$' }\n"
)
_KEY = "M" * 43 + "="


def test_modules_licence_and_addresses_are_read() -> None:
    more = f"[licence]\nrequired = true\nkey = '{_KEY}'\n[reach]\naddresses = ['{{way}}:443']\n"
    plain, profile = read_profile(GOOD, "a"), read_profile(f"{GOOD}\n{_MODULES}\n{more}", "a")

    assert profile.modules is not None
    assert (profile.modules.folder, profile.modules.version.source) == ("modules", "module.txt")
    assert (profile.licence.required, profile.licence.key) == (True, _KEY)
    assert profile.reach == ("{way}:443",)
    assert (plain.modules, plain.licence.required, plain.licence.key, plain.reach) == (
        None,
        False,
        "",
        (),
    )


@pytest.mark.parametrize(
    ("section", "error"),
    [
        ("[modules]\nfolder = 'modules'", ": modules.folder: folder and version go together"),
        (_MODULES.replace("folder = 'modules'\n", ""), ": modules.version: folder and version"),
        (_MODULES.replace("'modules'", "'a/b'"), "modules.folder: 'a/b' must be one name"),
        (_MODULES.replace("'modules'", "'../b'"), "modules.folder: '../b' must not have"),
        (_MODULES.replace("'modules'", "'*'"), "modules.folder: '*' must be one name"),
        (
            _MODULES.replace("'module.txt'", "'/etc/shadow'"),
            "modules.version: file: '/etc/shadow'",
        ),
        (_MODULES.replace("file = ", "program = "), "modules.version: program: must be a list"),
        ("[modules]\nfolder = 'm'\nversion = { dpkg = 'app' }", "version is in a file"),
        ("[licence]\nrequired = 'yes'", "licence.required: must be true or false"),
        ("[licence]\nkey = 'AAAA'", "licence.key: must be an Ed25519 public key"),
        ("[licence]\nkey = '\u00e9\u00e9'", "licence.key: must be an Ed25519 public key"),
        ("[licence]\nfree = true", "licence.free: unknown key; known are required, key"),
        ("[reach]\naddresses = ['example.org']", "reach.addresses: 'example.org' must be a name"),
        ("[reach]\naddresses = ['example.org:0']", "must be a name or address and a port"),
        ("[reach]\naddresses = ['example.org:70000']", "must be a name or address and a port"),
        ("[reach]\naddresses = ['-x:1']", "must be a name or address and a port"),
        ("[reach]\naddresses = ['http://x:1']", "must be a name or address and a port"),
        ("[reach]\naddresses = 'example.org:1'", "reach.addresses: must be a list"),
    ],
)
def test_bad_modules_licences_and_addresses_are_refused(section: str, error: str) -> None:
    with pytest.raises(ProfileError) as refused:
        read_profile(f"{GOOD}\n{section}\n", "app.toml")

    assert error in str(refused.value)
    assert str(refused.value).startswith("app.toml:")


@pytest.mark.parametrize("section", ["stay", "data"])
def test_modules_that_no_update_would_reach_are_refused(section: str) -> None:
    stay = GOOD.replace("[apply]", "[apply]\nstay = ['modules']", 1)
    data = f"{GOOD}\n[data]\nfolders = ['modules']\n"
    text = {"stay": stay, "data": data}[section]

    with pytest.raises(ProfileError, match=r"modules\.folder: 'modules' is in "):
        read_profile(f"{text}\n{_MODULES}", "app.toml")
