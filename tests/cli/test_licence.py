"""`roundsman licence`, and what `plan` and `rollout start` show of a judgement."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coordinator.api.asks import PackageAsk, ProfileAsk
from coordinator.model import SurveyOf
from tests.api.real import APP, PROFILE, RealOffice, make_zip
from tests.cli.terminal import Terminal

_PLAN = f"plan {APP} 1.1 --within 80000"
_TEXT = f'app = "{APP}"\nholder = "Roy"\nseats = 12\n'
_MODULES = "[modules]\nfolder = 'm'\nversion = { file = 'v', pattern = '^(.+)$' }\n"
_WIDTH = 100


def _made(office: RealOffice, folder: Path, hosts: int, more: str, **terms: object) -> RealOffice:
    office.add_hosts(hosts)
    with office.client() as client:
        client.add_profile(ProfileAsk(text=f"{PROFILE}\n{more}"))
        ask = PackageAsk(app=APP, version="1.1", terms=json.dumps(terms))
        client.add_package(ask, make_zip(folder / "r.zip"))
    office.sign()
    return office


def _entitlement(folder: Path, text: str = _TEXT) -> str:
    file = folder / "roy.toml"
    file.write_text(text, "utf-8")
    return str(file)


def test_an_entitlement_is_added_and_listed(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    assert terminal("licence list").out.startswith("No entitlement yet")
    added = terminal("licence add", _entitlement(tmp_path))
    assert (added.code, "0 of 12" in added.out) == (0, True)
    listed = terminal("licence list --json")
    assert (listed.code, listed.json[0]["holder"]) == (0, "Roy")
    assert "licence add" in terminal("audit").out


@pytest.mark.usefixtures("office")
def test_one_that_has_ended_does_not_count(terminal: Terminal, tmp_path: Path) -> None:
    added = terminal("licence add", _entitlement(tmp_path, f"{_TEXT}valid_until = 2020-02-29\n"))
    assert (added.code, "ended on 2020-02-29" in added.out) == (1, True)
    assert terminal("licence list").code == 1


@pytest.mark.parametrize("raw", [True, False])
def test_its_signature_is_found_beside_it(
    office: RealOffice, terminal: Terminal, tmp_path: Path, raw: bool
) -> None:
    vendor = Ed25519PrivateKey.generate()
    key = base64.b64encode(vendor.public_key().public_bytes_raw()).decode()
    _made(office, tmp_path, 1, f'[licence]\nkey = "{key}"\n')
    file = _entitlement(tmp_path)
    refused = terminal("licence add", file)
    assert (refused.code, "is not signed" in refused.err) == (2, True)
    signature = vendor.sign(_TEXT.encode())
    beside = tmp_path / "roy.toml.sig"
    beside.write_bytes(signature if raw else base64.b64encode(signature) + b"\n")

    assert terminal("licence add", file).code == 0
    assert terminal("licence add", file, "--signature", str(beside)).code == 0


@pytest.mark.usefixtures("office")
def test_a_file_that_cannot_be_used_is_said(terminal: Terminal, tmp_path: Path) -> None:
    file = _entitlement(tmp_path, "seats = -1")
    huge = tmp_path / "huge.sig"
    huge.write_bytes(b"x" * 10_000_000)
    (tmp_path / "latin.toml").write_bytes(b"\xe9\xff")

    assert "roy.toml:1: app: missing" in terminal("licence add", file).err
    assert "has 64 bytes, or 88" in terminal("licence add", file, "--signature", str(huge)).err
    assert "cannot read" in terminal("licence add", file, "--signature", "/none").err
    assert "not UTF-8" in terminal("licence add", str(tmp_path / "latin.toml")).err
    too_long = terminal("licence add", _entitlement(tmp_path, "#" * 10_000_000))
    assert (too_long.code, "text: string should have at most" in too_long.err) == (2, True)


def test_a_start_that_something_speaks_against_ends_with_one_and_names_each_mend(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    _made(office, tmp_path, 2, "[licence]\nrequired = true\n", over=">=2")
    assert terminal(_PLAN).code == 1

    said = terminal("rollout start p1")

    assert said.code == 1
    assert "there is no entitlement" in said.err
    assert "PC-02: has 1.0, and 1.1 may be put over >=2 only" in said.err
    assert "roundsman licence add FILE" in said.err
    assert "update it to one of these versions first" in said.err


def test_one_mend_for_several_hosts_is_said_once_and_no_line_ends_in_a_space(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    _made(office, tmp_path, 3, "", over=">=2")
    assert terminal(_PLAN).code == 1

    said = terminal("rollout start p1").err

    assert all(f"PC-0{number}: has 1.0" in said for number in (1, 2, 3))
    assert said.count("update it to one of these versions first") == 1
    assert "mend: 1, 2, 3. update it to one of these versions first" in said
    assert not any(line.endswith(" ") for line in said.splitlines())


def test_no_host_is_said_to_go_while_its_group_does_not(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    _made(office, tmp_path, 2, "[licence]\nrequired = true\n")

    said = terminal(_PLAN).out

    matrix = next(t.splitlines() for t in said.split("\n\n") if t.startswith("judged"))
    judged = {line.split("  ")[0]: line for line in matrix}
    assert "NO-GO" in judged["(the group)"]
    assert "not yet" in judged["PC-01"]
    assert "not yet" in judged["PC-02"]
    assert matrix[-1] == "not yet: go, once (the group) is"
    assert max(map(len, matrix)) <= _WIDTH


def test_where_all_go_nothing_is_said_of_waiting(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    _made(office, tmp_path, 2, "")
    said = terminal(_PLAN)
    assert (said.code, "not yet" in said.out) == (0, False)


def test_the_matrix_of_twelve_hosts_fits_a_terminal(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    modules = [{"name": "crm", "version": "2.0"}, {"name": "fax", "works": ">=2", "needed": True}]
    _made(office, tmp_path, 12, _MODULES, over=">=1", modules=modules)
    facts = {"app_version": "1.0", "system": "linux", "module.crm": "1.0", "module.own": "3"}
    for number in range(1, 13):
        office.surveyor.said[f"pc-{number:02}-abcdef"] = SurveyOf(facts)
    blocked = facts | {"module.fax": "1.0", "app_version": "0.5"}
    office.surveyor.said["pc-07-abcdef"] = SurveyOf(blocked)

    said = terminal(f"{_PLAN} --leave crm@PC-02")

    assert said.code == 1
    tables = said.out.split("\n\n")
    matrix = next(t.splitlines() for t in tables if t.startswith("judged"))
    assert len(matrix) == 2 + 1 + 12
    assert "NO-GO" in next(line for line in matrix if line.startswith("PC-07"))
    assert "NO-GO" not in next(line for line in matrix if line.startswith("PC-08"))
    listed = next(t.splitlines() for t in tables if "what becomes of it" in t)
    assert max(map(len, [*matrix, *listed])) <= _WIDTH
    assert any("[ ] left as it is" in line for line in listed if line.startswith("PC-02"))
    assert any("[x] is updated along" in line for line in listed if line.startswith("PC-03"))
    whole = terminal("plan p1 --json").json
    assert len(whole["matrix"]) == 13
    assert whole["hosts"][1]["modules"][0]["left"] is True


@pytest.mark.usefixtures("office")
def test_a_leave_that_names_no_module_is_explained(terminal: Terminal) -> None:
    said = terminal(f"{_PLAN} --leave", "a b")

    assert said.code == 2
    assert "must be a module, or MODULE@HOST" in said.err
