"""The recovery sheet: what is printed can be typed in again, and slips are found."""

import datetime as dt
from pathlib import Path

import pytest

from coordinator.releases.keys import SIGNING_KEY, fingerprint, new_key, open_signing_key
from coordinator.releases.sheet import BadSheet, Sheet, as_page, as_text, key_lines, read_key
from tests.trust.office import PASSPHRASE

MADE = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


@pytest.fixture
def sheet(tmp_path: Path) -> Sheet:
    signer = new_key(tmp_path, PASSPHRASE)
    pem = (tmp_path / SIGNING_KEY).read_bytes()
    return Sheet("key 1 of 3, of which it takes 2", fingerprint(signer), "/mnt/stick", MADE, pem)


def typed(sheet: Sheet) -> list[str]:
    return key_lines(sheet.pem)


def test_the_text_and_the_page_give_the_key_back_byte_by_byte(sheet: Sheet) -> None:
    assert read_key(as_text(sheet)) == sheet.pem
    assert read_key(as_page(sheet)) == sheet.pem


def test_the_key_that_was_typed_in_again_opens(sheet: Sheet, tmp_path: Path) -> None:
    again = tmp_path / "again.pem"
    again.write_bytes(read_key("\n".join(typed(sheet))))
    assert fingerprint(open_signing_key(again, PASSPHRASE)) == sheet.fingerprint


def test_it_says_what_where_when_and_how_and_never_the_passphrase(sheet: Sheet) -> None:
    for said in (as_text(sheet), as_page(sheet)):
        assert PASSPHRASE not in said
        for fact in (sheet.fingerprint, "/mnt/stick", "21 November 2026", "key 1 of 3"):
            assert fact in said
        assert "roundsman keys recover" in said


def test_small_letters_spaces_and_look_alikes_do_not_matter(sheet: Sheet) -> None:
    careless = "\n".join(typed(sheet)).lower().replace("0", "o").replace("1", "l")
    numbered = [f"{n} " + line[5:] for n, line in enumerate(careless.splitlines()[:-1], 1)]
    assert read_key("\n".join([*numbered, careless.splitlines()[-1]])) == sheet.pem
    squeezed = [line.replace("-", "").replace("  ", " ") for line in typed(sheet)]
    assert read_key("\r\n".join(reversed(squeezed))) == sheet.pem


@pytest.mark.parametrize("line", range(1, 10))
def test_a_slip_is_found_in_its_line(sheet: Sheet, line: int) -> None:
    lines = typed(sheet)
    at = lines[line - 1].index("=") - 3
    slip = "7" if lines[line - 1][at] != "7" else "8"
    lines[line - 1] = lines[line - 1][:at] + slip + lines[line - 1][at + 1 :]
    with pytest.raises(BadSheet, match=f"line {line} of the sheet"):
        read_key("\n".join(lines))


def test_two_lines_exchanged_are_found(sheet: Sheet) -> None:
    lines = typed(sheet)
    lines[0], lines[1] = f"  1{lines[1][3:]}", f"  2{lines[0][3:]}"
    with pytest.raises(BadSheet, match="line 1 of the sheet"):
        read_key("\n".join(lines))


def test_a_line_that_is_missing_is_named(sheet: Sheet) -> None:
    lines = typed(sheet)
    with pytest.raises(BadSheet, match="line 4 is missing"):
        read_key("\n".join([*lines[:3], *lines[4:]]))


def test_a_last_line_that_is_missing_is_found(sheet: Sheet) -> None:
    lines = typed(sheet)
    with pytest.raises(BadSheet, match="the last lines"):
        read_key("\n".join([*lines[:-2], lines[-1]]))


def test_a_line_typed_twice_is_told(sheet: Sheet) -> None:
    with pytest.raises(BadSheet, match="two lines 1"):
        read_key("\n".join([typed(sheet)[0], *typed(sheet)]))


@pytest.mark.parametrize("text", ["", "hello", "1 = 2", "WHOLE = 00000000", "\x00" * 99])
def test_what_is_no_sheet_is_told(text: str) -> None:
    with pytest.raises(BadSheet, match="no lines of a key"):
        read_key(text)


def test_a_key_that_is_not_encrypted_is_never_printed(sheet: Sheet) -> None:
    with pytest.raises(BadSheet, match="no encrypted signing key"):
        key_lines(sheet.pem.replace(b"ENCRYPTED ", b""))
