"""A first profile, drafted from what was seen: read by the very reader that signed ones are."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.platforms.base import Process
from agent.programs import app_programs
from agent.wire.observed import AutoStart, Candidate, SeenProgram, VersionHint
from agent.wire.profile import ApplyKind, Profile, ServiceManagerKind, VersionKind
from agent.wire.profile_reader import read_profile
from coordinator.planning.draft import About, draft, name_for

ABOUT = About("office", "PC-01", "21 November 2026")
OFFICE = SeenProgram("bin/office", ("ann", "bob"), 2, window=True, session=True)
TRAY = SeenProgram("bin/tray", ("ann",), 1, session=True)
SERVER = SeenProgram("bin/server", ("root",), 1, unit="office-server.service")


def _profile(seen: Candidate) -> Profile:
    return read_profile(draft(seen, ABOUT), "office.toml")


def test_what_has_a_window_is_the_app_and_what_has_none_its_tray_program() -> None:
    profile = _profile(Candidate("/opt/office", (OFFICE, TRAY)))
    assert profile.app.folders == ("/opt/office",)
    assert profile.app.programs == ("bin/office",)
    assert profile.service_manager.kind is ServiceManagerKind.PROGRAM
    assert profile.service_manager.programs == ("bin/tray",)
    assert profile.service_manager.start == ("bin/tray",)
    assert not profile.app.kill
    assert not profile.close.reopen


def test_a_service_of_the_system_is_the_service_manager() -> None:
    profile = _profile(Candidate("/opt/office", (OFFICE, SERVER)))
    assert profile.app.programs == ("bin/office",)
    assert profile.service_manager.kind is ServiceManagerKind.SYSTEMD
    assert profile.service_manager.unit == "office-server.service"
    assert profile.service_manager.programs == ("bin/server",)


def test_a_second_service_is_named_for_the_person_to_decide() -> None:
    other = SeenProgram("bin/other", ("root",), 1, unit="other.service")
    text = draft(Candidate("/opt/office", (OFFICE, SERVER, other)), ABOUT)
    assert "CHECK: the service other.service runs from this folder too" in text


def test_without_windows_what_opens_at_log_in_is_the_tray_program() -> None:
    unseen = SeenProgram("bin/office", ("ann",), 1, session=True)
    starts = (AutoStart("bin/tray", "office.desktop", "Office"),)
    profile = _profile(Candidate("/opt/office", (unseen, TRAY), starts))
    assert profile.app.programs == ("bin/office",)
    assert profile.service_manager.programs == ("bin/tray",)


def test_one_program_alone_is_the_app() -> None:
    profile = _profile(Candidate("/opt/office", (TRAY,)))
    assert profile.app.programs == ("bin/tray",)
    assert profile.service_manager.kind is ServiceManagerKind.NONE


def test_a_program_right_in_the_folder_is_meant_there_only() -> None:
    till = SeenProgram("caisse.py", ("ann",), 1, window=True, session=True)
    tray = SeenProgram("tray.py", ("ann",), 1, session=True)
    profile = _profile(Candidate("/opt/caisse", (till, tray)))
    here = app_programs(profile, Path("/opt/caisse"))
    assert profile.app.programs == ("./caisse.py",)
    assert here.include(_python("/opt/caisse/caisse.py"))
    assert not here.include(_python("/srv/copy/caisse.py"))
    assert profile.service_manager.programs == ("./tray.py",)
    assert profile.service_manager.start == ("tray.py",)


def _python(script: str) -> Process:
    return Process(7, 1.0, "ann", "1", "/usr/bin/python3", ("python3", script))


def test_a_program_without_a_window_may_be_made_the_service_manager_by_hand() -> None:
    text = draft(Candidate("/opt/office", (replace(TRAY, path="tray"),)), ABOUT)
    start = text.index("[service_manager]")
    perhaps = text[start : text.index("[apply]")]
    assert 'kind = "none"' in perhaps
    by_hand = perhaps.replace('kind = "none"\n', "", 1).replace("\n# ", "\n")
    by_hand = "\n".join(line for line in by_hand.splitlines() if re.match(r"\[|\w+ = ", line))
    profile = read_profile(text.replace(perhaps, f"{by_hand}\n"), "office.toml")
    assert profile.service_manager.kind is ServiceManagerKind.PROGRAM
    assert profile.service_manager.programs == ("./tray",)
    assert profile.service_manager.start == ("tray",)


@pytest.mark.parametrize(
    ("line", "version"),
    [("app=4.2.1", "4.2.1"), ("4.2", "4.2"), ("Version [4.2.1-3] (x)", "4.2.1-3")],
)
def test_the_version_is_read_where_it_was_seen(line: str, version: str) -> None:
    hint = VersionHint("version.txt", line)
    reader = _profile(Candidate("/opt/office", (OFFICE,), versions=(hint,))).app.version
    assert (reader.kind, reader.source) == (VersionKind.FILE, "version.txt")
    found = re.search(reader.pattern, line, re.MULTILINE)
    assert found is not None
    assert found[1] == version


def test_an_installed_package_is_updated_as_one_and_tells_its_version() -> None:
    seen = Candidate("/usr/lib/office", (OFFICE,), package="office", package_version="4.2-1")
    profile = _profile(seen)
    assert profile.apply.kind is ApplyKind.PACKAGE
    assert profile.apply.package == "office"
    assert profile.app.version.kind is VersionKind.DPKG


def test_the_first_port_must_answer_and_all_are_named() -> None:
    seen = Candidate("/opt/office", (OFFICE,), ports=(8080, 9000))
    assert _profile(seen).health.port == "8080"
    assert "seen listening: 8080, 9000" in draft(seen, ABOUT)


def test_it_says_what_was_seen_where_and_when() -> None:
    text = draft(Candidate("/opt/office", (OFFICE, TRAY)), ABOUT)
    assert "what ran on PC-01 on 21 November 2026" in text
    assert "# seen: bin/office, 2 processes, of 2 users, in a session, with a window" in text
    assert "# seen: bin/tray, one process, in a session, no window seen" in text
    assert text.count("CHECK") > 8


def test_nobody_who_had_it_open_is_named() -> None:
    text = draft(Candidate("/opt/office", (OFFICE, TRAY)), ABOUT)
    assert not [name for name in ("ann", "bob") if re.search(rf"\b{name}\b", text)]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/opt/Office Maker", "office-maker"),
        ("/opt/Büro & Söhne", "b-ro-s-hne"),
        ("/opt/日本", "app"),
        ("/opt/" + "x" * 90, "x" * 60),
        ("/opt/--", "app"),
    ],
)
def test_a_name_is_made_from_the_folder(folder: str, name: str) -> None:
    assert name_for(folder) == name


# what a host may send: anything printable, and what would end a text or a comment in TOML
_LINE = st.text(max_size=40).filter(str.isprintable)
_ODD = st.sampled_from(
    ['a"b', "a'''b", 'x"""', "a\\nb", "../x", "/etc", "C:x", "a # b", "", "{x}"]
)
_TEXT = st.one_of(_LINE, _ODD)
_PROGRAMS = st.builds(
    SeenProgram, _TEXT, st.tuples(_TEXT), st.integers(0, 9), st.booleans(), st.booleans(), _TEXT
)
_SEEN = st.builds(
    Candidate,
    _TEXT,
    st.lists(_PROGRAMS, max_size=5).map(tuple),
    st.lists(st.builds(AutoStart, _TEXT, _TEXT, _TEXT), max_size=3).map(tuple),
    _TEXT,
    _TEXT,
    st.lists(st.builds(VersionHint, _TEXT, _TEXT), max_size=3).map(tuple),
    st.lists(st.integers(1, 65_535), max_size=3).map(tuple),
)


@given(_SEEN)
def test_whatever_a_host_tells_the_draft_is_a_profile_of_that_name(seen: Candidate) -> None:
    profile = _profile(seen)
    assert profile.name == "office"
    assert profile.apply.keep == ()
    assert not profile.updater_programs
