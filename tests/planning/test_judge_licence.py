"""The licence gate: edition, seats, contract and day, each refused by its name (row S3)."""

import datetime as dt
from dataclasses import replace

import pytest

from agent.wire.profile import Licence
from agent.wire.terms import Terms
from coordinator.planning.entitlement import (
    BadEntitlement,
    Entitlement,
    Held,
    read_entitlement,
)
from coordinator.planning.judge_licence import LicenceCase, licence_findings

_DAY = dt.date(2026, 11, 21)
_HELD = Entitlement("office", "Cabinet Roy", "advanced", 12, dt.date(2026, 6, 30), None)
_FREE = LicenceCase("office", "2.0", Licence(), [Terms()], Held(), 12, _DAY)
_GOOD = """
app = "office"
holder = "Cabinet Roy"
edition = "advanced"
seats = 12
contract_end = 2026-06-30
"""


def _codes(case: LicenceCase, **changes: object) -> list[str]:
    entitlement = replace(_HELD, **changes)  # type: ignore[arg-type]
    found = licence_findings(replace(case, held=Held(entitlement)))
    assert all("roundsman licence add FILE" in f.fix for f in found)
    return [f.code for f in found]


def test_nothing_is_asked_of_an_app_without_a_licence() -> None:
    assert licence_findings(_FREE) == []


@pytest.mark.parametrize(
    "case",
    [
        replace(_FREE, licence=Licence(required=True)),
        replace(_FREE, terms=[Terms(editions=("advanced",))]),
        replace(_FREE, terms=[Terms(), Terms(contract=True)]),
    ],
)
def test_an_entitlement_that_is_asked_for_and_not_there_blocks(case: LicenceCase) -> None:
    assert [f.code for f in licence_findings(case)] == ["licence-missing"]


def test_a_file_that_does_not_count_blocks_with_its_reason() -> None:
    found = licence_findings(replace(_FREE, held=Held(problem="its signature is wrong")))

    assert [f.code for f in found] == ["licence-refused"]
    assert found[0].message == "cannot install office 2.0: its signature is wrong"


@pytest.mark.parametrize(
    ("terms", "codes"),
    [
        (Terms(), []),
        (Terms(editions=("basic", "advanced")), []),
        (Terms(editions=("basic",)), ["licence-edition"]),
        (Terms(released="2026-06-30", contract=True), []),
        (Terms(released="2026-07-01", contract=True), ["licence-contract"]),
        (Terms(released="2026-07-01"), []),
        (Terms(contract=True), ["licence-contract"]),  # no day of release: today counts
        (Terms(released="2026-99-99", contract=True), ["licence-contract"]),
    ],
)
def test_a_release_is_judged_on_its_own_terms(terms: Terms, codes: list[str]) -> None:
    assert _codes(replace(_FREE, terms=[terms])) == codes


def test_each_reason_is_said_once_and_by_its_name() -> None:
    wanting = Terms(editions=("basic",), contract=True, released="2026-07-01")
    case = replace(_FREE, terms=[wanting, wanting], seats=13)

    found = licence_findings(replace(case, held=Held(_HELD)))

    assert [f.message.removeprefix("cannot install office 2.0: ") for f in found] == [
        "13 workstations need a seat, and the licence of Cabinet Roy has 12",
        "it is for the editions basic, and the licence is for edition advanced",
        "it was released on 2026-07-01, and the update contract of Cabinet Roy ended on "
        "2026-06-30",
    ]


def test_a_licence_for_another_app_or_without_edition_or_contract_is_refused() -> None:
    assert _codes(_FREE, app="other") == ["licence-other-app"]
    wanting = replace(_FREE, terms=[Terms(editions=("basic",), contract=True)])
    assert _codes(wanting, edition="", contract_end=None) == [
        "licence-edition",
        "licence-contract",
    ]


def test_a_rented_licence_ends_by_the_clock() -> None:
    assert _codes(_FREE, valid_until=_DAY) == []
    assert _codes(_FREE, valid_until=_DAY - dt.timedelta(days=1)) == ["licence-ended"]


# -- the file ---------------------------------------------------------------------------------


def test_an_entitlement_is_read() -> None:
    assert read_entitlement(_GOOD, "roy.toml") == _HELD
    assert read_entitlement(_GOOD.replace("2026-06-30", '"2026-06-30"'), "roy.toml") == _HELD


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("seats = 12", "seats = -1", "roy.toml:5: seats: must be a whole number from 1"),
        ("seats = 12", "seats = 0", "roy.toml:5: seats: must be a whole number"),
        ("seats = 12", "seats = true", "roy.toml:5: seats: must be a whole number"),
        ("seats = 12", "seats = 1e300", "roy.toml:5: seats: must be a whole number"),
        ("seats = 12", "", "roy.toml:1: seats: missing"),
        ("2026-06-30", '"2026-02-30"', "roy.toml:6: contract_end: '2026-02-30' is no day"),
        ("2026-06-30", '"soon"', "contract_end: 'soon' is no day, as 2027-03-31"),
        ("2026-06-30", "2026-06-30T10:00:00", "contract_end: '2026-06-30 10:00:00' is no day"),
        ("2026-06-30", "7", "contract_end: '7' is no day"),
        ("2026-06-30", "2026-02-30", "roy.toml:6: entitlement: not TOML"),
        ('"office"', '"../office"', "roy.toml:2: app: must be small letters"),
        ('"Cabinet Roy"', '""', "roy.toml:3: holder: must have 1 to"),
        ('"Cabinet Roy"', '"a\\u001b[31mb"', "roy.toml:3: holder: has control characters"),
        ('"Cabinet Roy"', f'"{"x" * 101}"', "roy.toml:3: holder: must have 1 to 100"),
        ('"advanced"', '["advanced"]', "roy.toml:4: edition: must be a text"),
        ('edition = "advanced"', "modules = 3", "'modules': unknown key; known are app, holder"),
        (_GOOD, "<html><b>no</b></html>", "roy.toml:1: entitlement: not TOML"),
        (_GOOD, "\x00\x01\x02", "roy.toml:1: entitlement: not TOML"),
        (_GOOD, "", "roy.toml:1: app: missing"),
    ],
)
def test_what_is_no_entitlement_is_refused_by_file_line_and_key(
    old: str, new: str, error: str
) -> None:
    assert old in _GOOD

    with pytest.raises(BadEntitlement) as refused:
        read_entitlement(_GOOD.replace(old, new, 1), "roy.toml")

    assert error in str(refused.value)


def test_an_endless_or_a_bottomless_file_is_not_read() -> None:
    with pytest.raises(BadEntitlement, match=r"roy\.toml:1: entitlement: longer than 16384"):
        read_entitlement("#" * 10_000_000, "roy.toml")
    with pytest.raises(BadEntitlement, match="entitlement: not TOML"):
        read_entitlement("a = " + "[" * 15_000, "roy.toml")


def test_markup_in_a_name_is_kept_as_text() -> None:
    said = read_entitlement(_GOOD.replace("Cabinet Roy", "<b>Roy</b>"), "roy.toml")

    assert said.holder == "<b>Roy</b>"
