"""A package is added at a terminal: what is said when something is missing for it."""

from pathlib import Path

from coordinator.api.asks import ProfileAsk
from tests.api.real import APP, PROFILE, RealOffice, make_zip
from tests.cli.terminal import Terminal


def test_a_package_of_an_app_without_a_profile_is_taken_in_with_a_warning(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    package = str(make_zip(tmp_path / "r.zip"))
    said = terminal("release add nope 1.0", package)
    assert said.code == 0
    assert "warning: there is no profile of nope yet, and without one it cannot" in said.out
    assert "roundsman profile add FILE" in said.out
    assert "no profile of nope" in terminal("release add nope 1.0 --json", package).json["warning"]
    assert len(office.repository.drafted()) == 1


def test_a_profile_that_waits_for_its_signature_is_one(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    package = str(make_zip(tmp_path / "r.zip"))
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
    assert "warning" not in terminal(f"release add {APP} 1.1", package).out
    office.sign()
    assert "warning" not in terminal(f"release add {APP} 1.1", package).out
