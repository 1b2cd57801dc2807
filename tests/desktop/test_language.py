"""The language of a session, and the catalogs: complete, compiled, and well set in type."""

import ast
import gettext
import io
import re
from collections.abc import Iterator

import pytest

from agent.cordon_code import NOT_THE_CODE, NOTHING_CLOSED, TOO_MANY
from agent.session.language import LOCALE, tongue_of
from deploy.catalogs import read_po, to_mo
from tests.house.source import ROOT

PO = LOCALE / "fr" / "LC_MESSAGES" / "roundsman.po"
CATALOG = read_po(PO.read_text("utf-8"))
FRENCH_TEXTS = [text for key, text in CATALOG.items() if key]
JARGON = ("host", "cordon", "rollout", "agent", "drain", "client", "hôte", "seal", "coordinat")


def said_in(source: str) -> Iterator[str]:
    """Yield the texts that a module says, plurals joined as in a catalog."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        name = call.func.id if isinstance(call.func, ast.Name) else name
        texts = [a.value for a in call.args if isinstance(a, ast.Constant)]
        wanted = {"say": 1, "many": 2}.get(name, 0)
        words = [text for text in texts if isinstance(text, str)][:wanted]
        if words:
            yield "\0".join(words)


SAID = {
    text
    for file in (ROOT / "agent" / "session").glob("*.py")
    for text in said_in(file.read_text("utf-8"))
}
REASONS = {NOTHING_CLOSED, NOT_THE_CODE, TOO_MANY, "no code can be tried at this moment"}
SAID |= REASONS  # by the service, about a code


@pytest.mark.parametrize(
    ("environment", "ok"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "Ouvrir"),
        ({"LANG": "fr"}, "Ouvrir"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "fr_CA"}, "Ouvrir"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "fr_BE.UTF-8"}, "Ouvrir"),
        ({"LANG": "fr_FR.UTF-8", "LANGUAGE": "en_GB:fr"}, "Open"),
        ({"LANG": "en_GB.UTF-8", "LANGUAGE": "de:fr"}, "Ouvrir"),
        ({"LANG": "C.UTF-8"}, "Open"),
        ({"LANG": "de_DE.UTF-8"}, "Open"),
        ({"LANG": "../../fr"}, "Open"),
        ({}, "Open"),
    ],
)
def test_the_session_decides_the_language(environment: dict[str, str], ok: str) -> None:
    assert tongue_of(environment).say("Open") == ok


def test_every_text_is_in_the_catalog_and_no_other_one() -> None:
    assert len(SAID) > 40
    assert SAID ^ (set(CATALOG) - {""}) == set()


def test_the_compiled_catalog_is_the_one_that_is_written() -> None:
    compiled = PO.with_suffix(".mo").read_bytes()
    assert compiled == to_mo(CATALOG), "run: python deploy/catalogs.py"
    read = gettext.GNUTranslations(io.BytesIO(compiled))
    assert read.gettext("I have a code") == CATALOG["I have a code"]


def test_the_catalogs_are_packed_with_the_product() -> None:
    assert '"session/locale/*/LC_MESSAGES/*.mo"' in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("key", sorted(set(CATALOG) - {""}))
def test_what_is_filled_in_is_the_same_in_both_languages(key: str) -> None:
    places = [set(re.findall(r"{(\w+)", text)) for text in (key, CATALOG[key])]
    assert places[0] == places[1]
    assert all(CATALOG[key].split("\0"))
    assert CATALOG[key].count("\0") == key.count("\0")


@pytest.mark.parametrize("text", FRENCH_TEXTS)
def test_french_is_set_as_french_is(text: str) -> None:
    assert "'" not in text
    assert '"' not in text
    assert not re.search(r"[^\u202f\u00a0][;:!?»]", re.sub(r"{\w+:\w+}", "", text))
    assert not re.search(r"«[^\u202f\u00a0]", text)


@pytest.mark.parametrize("text", sorted(SAID) + FRENCH_TEXTS)
def test_no_word_of_the_trade_is_said(text: str) -> None:
    words = re.sub(r"{\w+(:\w+)?}", "", text).lower()
    assert not [word for word in JARGON if re.search(rf"\b{word}", words)]


def test_the_service_s_reasons_are_said_in_the_session_s_language() -> None:
    french = tongue_of({"LANG": "fr_FR.UTF-8"})
    assert french.known(TOO_MANY).startswith("Trop de codes")
    assert french.known("something new") == "something new"
    assert french.known("") == ""
