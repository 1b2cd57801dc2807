"""The language of a session, and the catalogs that the notices are said in.

English is the text in the code; each other language has a folder in `locale`. The catalogs are
read by gettext of the standard library (`deploy/catalogs.py` compiles them).
"""

import gettext
from collections.abc import Mapping
from pathlib import Path

DOMAIN = "roundsman"
LOCALE = Path(__file__).parent / "locale"
_NAMES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
_ENGLISH = ("en", "C", "POSIX")


class Tongue:
    """Says the sentences of the notices in one language."""

    def __init__(self, catalog: gettext.NullTranslations) -> None:
        self._catalog = catalog

    def say(self, text: str, **values: object) -> str:
        """Return `text` in this language, its {names} filled; a value is never read as a text."""
        return self._catalog.gettext(text).format(**values)

    def many(self, one: str, more: str, count: int, **values: object) -> str:
        """Return the sentence for `count` things, {count} and its other {names} filled."""
        return self._catalog.ngettext(one, more, count).format(count=count, **values)

    def known(self, text: str) -> str:
        """Return a sentence of the service in this language, or as it came."""
        return self._catalog.gettext(text) if text else ""


def tongue_of(environment: Mapping[str, str]) -> Tongue:
    """Return the first language that the session wants and that there is; else English."""
    for language in _wanted(environment):
        if language.partition(".")[0].partition("_")[0] in _ENGLISH:
            break
        if gettext.find(DOMAIN, str(LOCALE), [language]):
            return Tongue(gettext.translation(DOMAIN, str(LOCALE), [language]))
    return Tongue(gettext.NullTranslations())


def _wanted(environment: Mapping[str, str]) -> list[str]:
    values = (environment.get(name, "") for name in _NAMES)
    return next((value for value in values if value), "").split(":")
