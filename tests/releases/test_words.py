"""What a vendor writes is shown without what steers a terminal; terms are told in words."""

import pytest

from agent.wire.terms import ModuleTerms, Terms
from coordinator.terms import in_words
from coordinator.vendor_text import headline, on_one_line, readable


@pytest.mark.parametrize(
    "character", [chr(n) for n in [*range(9), *range(0x0E, 0x20), 0x7F, 0x9B]]
)
def test_no_control_character_is_left(character: str) -> None:
    assert readable(f"a{character}b") == "a\ufffdb"


@pytest.mark.parametrize("character", "\u202a\u202e\u2066\u2069\u200b\u200e\ufeff\U000e0041")
def test_nothing_hidden_and_nothing_that_turns_the_writing_is_left(character: str) -> None:
    assert readable(f"a{character}b") == "a\ufffdb"


def test_lines_and_letters_of_every_language_stay() -> None:
    assert readable("é\tà\r\n日本\u2028x\u00a0!\x0cy") == "é    à\n日本\nx !\ny"


def test_one_line_is_one_line_and_not_too_long() -> None:
    assert on_one_line("a\n\n b\x1b[2J ") == "a b\ufffd[2J"
    assert on_one_line("x" * 500) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ("# What is new\n\nMore.", "What is new"),
        ("\n\n---\n* **Faster** `x`", "Faster x"),
        ("Faster.\nFixes printing.", "Faster."),
        ("```\ncode\n```", "code"),
        ("1. First", "First"),
        ("my_new_file", "my_new_file"),
        ("###\n", "###"),
        ("x" * 200, "x" * 99 + "…"),
        ("\x1b]0;owned\x07", "\ufffd]0;owned\ufffd"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_the_headline_of_notes_is_their_first_words(notes: str, said: str) -> None:
    assert headline(notes) == said


def test_terms_are_told_one_sentence_each() -> None:
    modules = (
        ModuleTerms("printing", "2.1", works=">=2", updates=">=1,<2", needed=True),
        ModuleTerms("scanning"),
    )
    terms = Terms("2026-11-21", ("pro", "team"), True, ">=1.0", True, ("server", "pc"), modules)
    assert in_words(terms) == [
        "released 2026-11-21",
        "for the editions pro, team only",
        "needs an update contract that had not ended on the day of its release",
        "is put over versions >=1.0 only",
        "may be put over a newer version",
        "updated in this order: server, then pc",
        "module printing: brings 2.1, >=2 works with it as it is, >=1,<2 is updated along, "
        "any other installed one blocks the host",
        "module scanning: named, nothing said of it",
    ]
    assert in_words(Terms()) == []
