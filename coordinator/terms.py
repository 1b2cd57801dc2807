"""The terms of a release as a vendor or an operator writes them, and in words for who signs them.

They decide who may install what. So a word that is not understood is refused, never skipped: it
may be a gate that this Roundsman does not know yet.
"""

import datetime as dt
from dataclasses import fields
from typing import Any

from agent.wire.codec import BadMessage, decode
from agent.wire.terms import ModuleTerms, Terms
from agent.wire.versions import is_range

_KNOWN: dict[type, set[str]] = {
    kind: {field.name for field in fields(kind)} for kind in (Terms, ModuleTerms)
}


def read_terms(given: object) -> Terms:
    """Return what TOML or JSON says. Raises `ValueError` naming the key and what is wrong."""
    if not isinstance(given, dict):
        raise ValueError("the terms must be an object, as { contract = true }")  # noqa: TRY004
    _refuse_unknown(Terms, given, "")
    modules = given.get("modules", [])
    for place, module in enumerate(modules if isinstance(modules, list) else []):
        if isinstance(module, dict):
            _refuse_unknown(ModuleTerms, module, f"modules[{place}].")
    try:
        terms = decode(Terms, given)
    except BadMessage as error:
        raise ValueError(str(error).removeprefix("Terms.")) from None
    _judge(terms)
    return terms


def _refuse_unknown(kind: type, given: dict[str, Any], where: str) -> None:
    for key in given:
        if key not in _KNOWN[kind]:
            known = ", ".join(sorted(_KNOWN[kind]))
            raise ValueError(f"{where}{str(key)[:60]!a}: unknown; known are {known}")


def _judge(terms: Terms) -> None:
    """Raise `ValueError` for a day that is none, or a range that is none."""
    if terms.released:
        read_day(terms.released, "released")
    ranges = [("over", terms.over)]
    for module in terms.modules:
        ranges += [(f"module {module.name}: works", module.works)]
        ranges += [(f"module {module.name}: updates", module.updates)]
    for where, text in ranges:
        if not is_range(text):
            raise ValueError(f'{where}: {text!a} is no range of versions, as ">=2.1,<3"')


def read_day(text: str, where: str) -> dt.date:
    """Return a day of the calendar. Raises `ValueError` naming the key."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{where}: {text!a} is no day, as 2026-11-21") from None


def in_words(terms: Terms) -> list[str]:
    """Return what is asked for before the release may be installed, one sentence each."""
    said = [
        (terms.released, f"released {terms.released}"),
        (terms.editions, f"for the editions {', '.join(terms.editions)} only"),
        (terms.contract, "needs an update contract that had not ended on the day of its release"),
        (terms.over, f"is put over versions {terms.over} only"),
        (terms.downgrade, "may be put over a newer version"),
        (terms.roles, f"updated in this order: {', then '.join(terms.roles)}"),
    ]
    return [sentence for holds, sentence in said if holds] + [_module(m) for m in terms.modules]


def _module(module: ModuleTerms) -> str:
    said = [
        (module.version, f"brings {module.version}"),
        (module.works, f"{module.works} works with it as it is"),
        (module.updates, f"{module.updates} is updated along"),
        (module.needed, "any other installed one blocks the host"),
    ]
    parts = [words for holds, words in said if holds]
    return f"module {module.name}: {', '.join(parts) or 'named, nothing said of it'}"
