"""`roundsman init`, `login` and `profile check` at a terminal."""

import hashlib
from pathlib import Path

import pytest

from coordinator.access import fingerprint_of
from coordinator.releases.keys import LEAST_PASSPHRASE
from tests.api.real import PROFILE, RealOffice
from tests.cli.terminal import Terminal, typed

PORTS = "--address coordinator.lan --link-port 17701 --https-port 17702"


def _hashes(folder: Path) -> dict[str, str]:
    files = [f for f in folder.rglob("*") if f.is_file()]
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_init_says_what_comes_next_and_twice_changes_nothing(
    terminal: Terminal, tmp_path: Path
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery\n")
    first = terminal(f"init {PORTS} --passphrase-file", str(secret))
    assert first.code == 0, first.err
    for command in ("roundsman serve", "roundsman fleet token", "roundsman health"):
        assert command in first.out
    before = _hashes(tmp_path)
    second = terminal("init")
    assert second.code == 0
    assert "nothing was changed" in second.out
    assert _hashes(tmp_path) == before


def test_init_elsewhere_says_where_the_next_commands_find_it(
    terminal: Terminal, tmp_path: Path
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery\n")
    said = terminal(f"init {PORTS} --home {tmp_path / 'there'} --passphrase-file", str(secret))
    assert f"roundsman serve --home {tmp_path / 'there'}" in said.out
    assert f"--key {tmp_path / 'there' / 'signing'}" in said.out


def test_init_speaks_json(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDSMAN_PASSPHRASE", "correct horse battery")
    said = terminal("init --json --address coordinator.lan")
    assert all(thing["new"] for thing in said.json)


def test_init_asks_for_the_passphrase_twice(tmp_path: Path) -> None:
    text = "correct horse battery\ncorrect horse battery\n"
    done = typed(tmp_path, text, "init", "--address", "coordinator.lan")
    assert done.returncode == 0, done.stderr
    assert f"(at least {LEAST_PASSPHRASE} characters)" in done.stdout + done.stderr
    assert "correct horse" not in done.stdout + done.stderr


def test_a_passphrase_file_that_is_absent_is_named(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal("init --passphrase-file", str(tmp_path / "absent"))
    assert said.code == 2
    assert said.err.startswith(f"error: cannot read {tmp_path / 'absent'}")


def test_what_is_asked_can_be_declined(office: RealOffice, tmp_path: Path) -> None:
    office.add_hosts()
    declined = typed(tmp_path, "n\n", "fleet", "revoke", "PC-01")
    assert declined.returncode == 1
    assert office.fleet.refused() == set()
    agreed = typed(tmp_path, "y\n", "fleet", "revoke", "PC-01")
    assert agreed.returncode == 0, agreed.stderr
    assert office.fleet.refused() == {"pc-01-abcdef"}


def test_signing_shows_what_it_vouches_for_before_it_asks(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "profile.toml").write_text(PROFILE)
    terminal("profile add", str(tmp_path / "profile.toml"))
    declined = typed(tmp_path, "n\n", "release", "sign")
    assert declined.returncode == 1
    assert "stops and starts the system's unit om-server.service" in declined.stdout
    assert office.repository.published() == []
    signed = typed(tmp_path, "y\ncorrect horse battery\n", "release", "sign")
    assert signed.returncode == 0, signed.stderr
    assert len(office.repository.published()) == 1


def test_login_keeps_access_on_another_pc(
    office: RealOffice, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = terminal("operator add marie --role operator --json").json
    (tmp_path / "token").write_text(made["token"] + "\n")
    monkeypatch.setenv("ROUNDSMAN_CONFIG", str(tmp_path / "marie"))
    fingerprint = fingerprint_of(office.authority.certificate_pem)
    login = f"login {office.address} --token-file {tmp_path / 'token'} --json --fingerprint"
    wrong = terminal(login, "0" * 64)
    assert wrong.code == 2
    assert not (tmp_path / "marie").exists()
    assert terminal(login, fingerprint).json["name"] == "marie"
    (tmp_path / "token").write_text("rmo_mistyped\n")
    mistyped = terminal(login, fingerprint)
    assert (mistyped.code, "does not know this token" in mistyped.err) == (2, True)
    assert terminal("health --json").json["you"]["role"] == "operator", "access stays as it was"
    refused = terminal("audit")
    assert refused.code == 2
    assert "that takes the role admin" in refused.err


def test_a_profile_is_checked_without_a_coordinator(terminal: Terminal, tmp_path: Path) -> None:
    good = terminal("profile check impact-emploi")
    assert good.code == 0
    assert "runs, below the app's folder: bin/gestionnaire-services" in good.out
    bad = tmp_path / "bad.toml"
    bad.write_text(PROFILE.replace("kill = true", "kill = 7"))
    said = terminal("profile check", str(bad))
    assert said.code == 2
    assert "app.kill: " in said.err
    assert terminal("profile check", str(tmp_path / "absent.toml")).code == 2
