"""Entitlements over the API: taken in, refused by name, judged when planned and when started."""

import base64
import json
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coordinator.api.asks import DoctorAsk, LicenceAsk, PackageAsk, PlanAsk, ProfileAsk
from coordinator.api.plan_schemas import Cell, PlanView
from coordinator.api.roles import OperatorRole
from coordinator.complaint import Blocked, Complaint
from coordinator.model import Gate, ModuleVerdict, SurveyOf
from coordinator.planning.judge import day_of
from tests.api.real import APP, PROFILE, RealOffice, make_zip

_VENDOR = Ed25519PrivateKey.from_private_bytes(b"v" * 32)
_KEY = base64.b64encode(_VENDOR.public_key().public_bytes_raw()).decode()
_GOOD = f"""
app = "{APP}"
holder = "Cabinet Roy"
edition = "advanced"
seats = 3
contract_end = 2026-06-30
"""
_TERMS = {"released": "2026-06-01", "editions": ["advanced"], "contract": True}
_REQUIRED = "\n[licence]\nrequired = true\n"
_SIGNED = f'\n[licence]\nrequired = true\nkey = "{_KEY}"\n'
_ABSENT = SurveyOf({"system": "linux"})


def _made(
    office: RealOffice, folder: Path, more: str = "", terms: dict[str, object] | None = None
) -> RealOffice:
    office.add_hosts()
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE + more))
        ask = PackageAsk(app=APP, version="1.1", terms=json.dumps(terms or {}))
        client.add_package(ask, make_zip(folder / "r.zip"))
    office.sign()
    return office


def _plan(office: RealOffice, *leave: str) -> PlanView:
    with office.client() as client:
        ask = PlanAsk(app=APP, version="1.1", within_seconds=7200, leave=list(leave))
        return client.make_plan(ask)


def _add(office: RealOffice, text: str = _GOOD, signature: str = "") -> str:
    """Add an entitlement; return why it is not taken, "" when it is."""
    try:
        with office.client() as client:
            client.add_licence(LicenceAsk(text=text, signature=signature, file="roy.toml"))
    except Complaint as refused:
        return refused.error
    return ""


def _start(office: RealOffice, plan: PlanView) -> str:
    """Start a plan; return what is said against it, "" when it is started."""
    try:
        with office.client() as client:
            client.start(plan.label)
    except Blocked as blocked:
        return f"{blocked.error}\n{blocked.mend}"
    return ""


def test_without_an_entitlement_that_is_asked_for_nothing_is_started(
    office: RealOffice, tmp_path: Path
) -> None:
    plan = _plan(_made(office, tmp_path, _REQUIRED))

    assert [f.code for f in plan.findings] == ["licence-missing"]
    said, mend = _start(office, plan).split("\n")
    assert said == f"cannot start p1: cannot install {APP} 1.1: there is no entitlement for {APP}"
    assert "then: roundsman licence add FILE" in mend


def test_with_an_entitlement_it_is_planned_started_and_listed(
    office: RealOffice, tmp_path: Path
) -> None:
    _made(office, tmp_path, _REQUIRED, _TERMS)
    assert _add(office) == ""
    plan = _plan(office)

    assert (plan.findings, _start(office, plan)) == ([], "")
    with office.client(OperatorRole.VIEWER) as client:
        (listed,) = client.licences()
    assert (listed.holder, listed.edition, listed.seats, listed.seats_taken) == (
        "Cabinet Roy",
        "advanced",
        3,
        3,
    )
    assert (listed.contract_end, listed.problem) == (date(2026, 6, 30), "")


def test_a_licence_that_ran_out_since_it_was_planned_is_refused_at_the_start(
    office: RealOffice, tmp_path: Path
) -> None:
    _made(office, tmp_path, _REQUIRED)
    day = day_of(office.clock(), None)
    _add(office, f"{_GOOD}valid_until = {day}\n")
    plan = _plan(office)
    assert plan.findings == []
    office.clock.ahead += 2 * 86_400

    assert f"the licence of Cabinet Roy ended on {day}" in _start(office, plan)
    assert office.rollouts.all() == []


def test_an_entitlement_that_shrank_since_it_was_planned_is_refused_at_the_start(
    office: RealOffice, tmp_path: Path
) -> None:
    _made(office, tmp_path, "", _TERMS)
    _add(office)
    plan = _plan(office)
    less = _GOOD.replace("seats = 3", "seats = 2").replace("advanced", "basic")
    _add(office, less.replace("2026-06-30", "2026-05-31"))

    said = _start(office, plan)

    assert "1. cannot install" in said
    assert "3 workstations need a seat, and the licence of Cabinet Roy has 2" in said
    assert "the licence is for edition basic" in said
    assert "the update contract of Cabinet Roy ended on 2026-05-31" in said


def test_each_host_that_has_the_app_takes_a_seat_wherever_it_is(
    office: RealOffice, tmp_path: Path
) -> None:
    _made(office, tmp_path)
    _add(office, _GOOD.replace("seats = 3", "seats = 2"))
    assert [f.code for f in _plan(office).findings] == ["licence-seats"]
    with office.client() as client:
        client.revoke("PC-03", "gone")

    assert _plan(office).findings == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<html>not found</html>", "roy.toml:1: entitlement: not TOML"),
        (_GOOD.replace("seats = 3", "seats = -3"), "roy.toml:5: seats: must be a whole number"),
        (_GOOD.replace("2026-06-30", '"when paid"'), "contract_end: 'when paid' is no day"),
        (_GOOD.replace(APP, "../../etc"), "roy.toml:2: app: must be small letters"),
        ("", "roy.toml:1: app: missing"),
    ],
)
def test_what_is_no_entitlement_is_not_taken(office: RealOffice, text: str, why: str) -> None:
    assert why in _add(office, text)
    with office.client() as client:
        assert client.licences() == []


def test_an_endless_entitlement_is_not_even_sent(office: RealOffice) -> None:
    ask = LicenceAsk.model_construct(text="#" * 10_000_000, signature="", file="f")
    with office.client() as client, pytest.raises(Complaint):
        client.add_licence(ask)


def test_who_may_not_change_the_fleet_may_not_change_its_licences(office: RealOffice) -> None:
    with office.client(OperatorRole.OPERATOR) as client, pytest.raises(Complaint):
        client.add_licence(LicenceAsk(text=_GOOD))


# -- signed by the vendor ---------------------------------------------------------------------


def _sign(text: str, key: Ed25519PrivateKey = _VENDOR) -> str:
    return base64.b64encode(key.sign(text.encode())).decode()


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        ("", "is not signed, and its profile names the vendor's key"),
        (_sign(_GOOD + " "), "the signature of office-maker's entitlement is wrong"),
        (
            _sign(_GOOD, Ed25519PrivateKey.from_private_bytes(b"x" * 32)),
            "is wrong: it was changed, or another",
        ),
        ("AAAA", "is wrong"),
        ("not base64", "is wrong"),
        ("é", "is wrong"),
    ],
)
def test_an_entitlement_the_vendor_has_not_signed_is_not_taken(
    office: RealOffice, tmp_path: Path, signature: str, why: str
) -> None:
    _made(office, tmp_path, _SIGNED)

    assert why in _add(office, _GOOD, signature)
    assert [f.code for f in _plan(office).findings] == ["licence-missing"]


def test_an_entitlement_signed_by_the_vendor_counts(office: RealOffice, tmp_path: Path) -> None:
    _made(office, tmp_path, _SIGNED, _TERMS)

    assert _add(office, _GOOD, _sign(_GOOD)) == ""
    assert _plan(office).findings == []


def test_what_was_changed_on_the_disk_or_is_damaged_does_not_count(
    office: RealOffice, tmp_path: Path
) -> None:
    _made(office, tmp_path, _SIGNED)
    _add(office, _GOOD, _sign(_GOOD))
    file = office.settings.licences_folder / f"{APP}.json"
    sound = file.read_text()
    file.write_text(sound.replace("seats = 3", "seats = 9"))
    assert [f.code for f in _plan(office).findings] == ["licence-refused"]

    file.write_text("{")
    plan = _plan(office)
    assert "is damaged" in plan.findings[0].message
    with office.client() as client:
        assert client.licences()[0].needs_a_person

    file.write_text(sound)
    assert _plan(office).findings == []


def test_a_key_that_a_later_profile_names_holds_for_what_was_there_before(
    office: RealOffice, tmp_path: Path
) -> None:
    _made(office, tmp_path, _REQUIRED)
    _add(office)
    assert _plan(office).findings == []
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE + _SIGNED))
    office.sign()

    assert [f.code for f in _plan(office).findings] == ["licence-refused"]


# -- the matrix -------------------------------------------------------------------------------


def test_the_matrix_and_the_modules_are_told_to_programs(
    office: RealOffice, tmp_path: Path
) -> None:
    modules = [{"name": "crm", "version": "2.0"}, {"name": "fax", "works": ">=2", "needed": True}]
    version = "version = { file = 'module.txt', pattern = '^(.+)$' }"
    profile = f"\n[modules]\nfolder = 'modules'\n{version}\n"
    _made(office, tmp_path, profile, {"modules": modules, "over": ">=1"})
    facts = {"app_version": "1.0", "system": "linux", "module.crm": "1.0"}
    office.surveyor.said["pc-01-abcdef"] = SurveyOf(facts)
    office.surveyor.said["pc-02-abcdef"] = SurveyOf(facts | {"module.fax": "1.0"})
    office.surveyor.said["pc-03-abcdef"] = SurveyOf(facts | {"app_version": "0.9"})

    plan = _plan(office, "crm@PC-01")

    rows = {row.host: row for row in plan.matrix}
    assert [(name, row.verdict) for name, row in rows.items()] == [
        ("", Cell.GO),
        ("PC-01", Cell.GO),
        ("PC-02", Cell.NO_GO),
        ("PC-03", Cell.NO_GO),
    ]
    assert rows["PC-02"].gates[Gate.MODULES] is Cell.NO_GO
    assert rows["PC-03"].gates[Gate.VERSION] is Cell.NO_GO
    assert {(f.host, f.gate, f.code) for f in plan.findings} == {
        ("PC-02", Gate.MODULES, "module-blocks"),
        ("PC-03", Gate.VERSION, "version-too-old"),
    }
    shown = {h.host: [(m.name, m.verdict, m.left) for m in h.modules] for h in plan.hosts}
    assert shown["PC-01"] == [("crm", ModuleVerdict.LEFT, True)]
    assert shown["PC-02"] == [
        ("crm", ModuleVerdict.UPDATED, False),
        ("fax", ModuleVerdict.BLOCKS, False),
    ]
    said = _start(office, plan)
    assert "PC-02: module fax 1.0 does not work with 1.1" in said
    assert "PC-03: has 0.9" in said


@pytest.mark.parametrize("leave", ["", "a b", "crm@", "@PC-01", "../x", "x" * 200, "a@b@c"])
def test_what_names_no_module_is_refused(office: RealOffice, leave: str) -> None:
    with pytest.raises(ValueError, match="leave"):
        PlanAsk(app=APP, version="1.1", leave=[leave])


def test_the_doctor_judges_for_a_release_too(office: RealOffice, tmp_path: Path) -> None:
    _made(office, tmp_path, _REQUIRED, {"over": ">=2"})
    with office.client() as client:
        whole, first, *_ = client.doctor(DoctorAsk(app=APP, version="1.1"))
        (as_it_is,) = client.doctor(DoctorAsk(app=APP, hosts=["PC-01"]))

    assert (whole.host, [f.code for f in whole.findings]) == ("group office", ["licence-missing"])
    assert (first.host, [f.code for f in first.findings]) == ("PC-01", ["version-too-old"])
    assert first.needs_a_person
    assert as_it_is.findings == []
