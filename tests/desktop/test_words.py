"""What each notice says, in both languages; no text of others is ever more than text."""

from dataclasses import replace
from datetime import datetime

import pytest

from agent.session.language import Tongue, tongue_of
from agent.session.when import about, countdown, span
from agent.session.words import Press, Wording, plain, wording
from agent.wire.notices import Notice, NoticeKind, Outlook

ENGLISH, FRENCH = tongue_of({"LANG": "en_GB.UTF-8"}), tongue_of({"LANG": "fr_FR.UTF-8"})
NOON = datetime(2026, 11, 19, 12, 0)  # noqa: DTZ001 - a clock on a wall
WALK = Outlook("PC-04", 3, 12, 8400)
CLOSED = Notice(NoticeKind.CLOSED, "Office Maker", "26.10", outlook=WALK)
CLOSE = Notice(
    NoticeKind.CLOSE,
    "Office Maker",
    "26.10",
    asked_by="Marie",
    seconds_left=245,
    takes=1500,
    postpones_left=2,
)


def said(notice: Notice, tongue: Tongue = ENGLISH) -> Wording:
    return wording(notice, tongue, NOON)


def all_of(words: Wording) -> str:
    return spaced(" ".join((words.heading, *words.lines, words.message, words.countdown)))


def labels(words: Wording) -> dict[Press, str]:
    return {press: spaced(text) for press, text in words.buttons}


def spaced(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize("kind", [NoticeKind.AHEAD, NoticeKind.CLOSE, NoticeKind.AVAILABLE])
@pytest.mark.parametrize("seconds", [0.0, 600.0])
def test_a_drill_is_called_one_and_no_version_is_said_to_come(
    kind: NoticeKind, seconds: float
) -> None:
    drill = Notice(kind, "Office Maker", "1.0", seconds_left=seconds, takes=60, drill=True)
    english, french = all_of(said(drill)), all_of(said(drill, FRENCH))
    assert "drill" in english.lower()
    assert "exercice" in french
    for text in (english, french):
        assert not [w for w in ("1.0", "An update", "will be updated", "mise à jour") if w in text]
    assert "drill" not in all_of(said(replace(drill, drill=False))).lower()


def test_a_closed_app_says_where_the_update_is_and_when_it_is_back() -> None:
    expected = "Update running on PC-04, workstation 3 of 12, back about 14:20 (in 2 h 20 min)."
    assert expected in said(CLOSED).lines
    french = "Mise à jour en cours sur PC-04, poste 3 sur 12, retour vers 14 h 20 (dans 2 h 20)."
    assert french in all_of(said(CLOSED, FRENCH))


@pytest.mark.parametrize(
    ("outlook", "expected"),
    [
        (Outlook(), "The update is running."),
        (Outlook("PC-04"), "Update running on PC-04."),
        (Outlook(back_in=1500), "The update is running, back about 12:25 (in 25 minutes)."),
        (Outlook("PC-04", 3, 12, 20), "Update running on PC-04, workstation 3 of 12, back in a"),
        (Outlook("PC-04", 3, 12, 86400), "back tomorrow about 12:00 (in 24 hours)."),
        (Outlook("PC-04", 3, 12, 4 * 86400), "back Monday about 12:00 (in 4 days)."),
    ],
)
def test_what_is_not_known_of_the_walk_is_left_out(outlook: Outlook, expected: str) -> None:
    assert expected in all_of(said(replace(CLOSED, outlook=outlook)))


def test_a_notice_to_close_counts_down_and_says_who_asked_and_how_long() -> None:
    words = said(CLOSE)
    assert words.heading == "Please save your work and close Office Maker"
    assert words.countdown == "04:05"
    assert "Office Maker will stay closed for about 25 minutes, until about 12:30." in words.lines
    assert "Asked for by Marie." in words.lines
    assert labels(words) == {Press.LATER: "5 more minutes (2 left)", Press.DONE: "I am done"}


def test_postponing_is_offered_only_while_it_is_allowed() -> None:
    assert list(labels(said(replace(CLOSE, postpones_left=0)))) == [Press.DONE]
    one = labels(said(replace(CLOSE, postpones_left=1), FRENCH))[Press.LATER]
    assert one == "5 minutes de plus (encore 1 fois)"


def test_at_the_end_of_the_time_it_says_so() -> None:
    assert said(replace(CLOSE, seconds_left=0)).countdown == "Closing now"
    assert said(replace(CLOSE, seconds_left=0), FRENCH).countdown == "Fermeture en cours"


def test_an_update_ahead_says_when_also_for_another_day() -> None:
    ahead = Notice(NoticeKind.AHEAD, "Office Maker", seconds_left=7200, takes=2700)
    assert "The update begins about 14:00, in 2 hours." in said(ahead).lines
    tomorrow = said(replace(ahead, seconds_left=20 * 3600), FRENCH)
    assert "La mise à jour commencera demain vers 8 h 00, dans 20 heures." in all_of(tomorrow)
    assert "The update begins in a moment." in said(replace(ahead, seconds_left=0)).lines


def test_whose_turn_it_is_is_told_until_when() -> None:
    turn = said(Notice(NoticeKind.YOUR_TURN, "Impact emploi", "26.10", seconds_left=1200))
    assert turn.heading == "Your turn: update Impact emploi"
    assert "Please be done about 12:20 (in 20 minutes)." in turn.lines
    assert list(labels(turn)) == [Press.DONE]
    early = Notice(NoticeKind.YOUR_TURN, "Impact emploi", "26.10", installed="26.9")
    assert "It is not done yet: version 26.9 is still here." in said(early).lines
    bare = said(Notice(NoticeKind.YOUR_TURN, "Impact emploi"))
    assert "Open it, and start its update from inside." in bare.lines


def test_an_app_that_is_available_again_can_be_opened_with_one_press() -> None:
    words = said(Notice(NoticeKind.AVAILABLE, "Office Maker", "26.10"), FRENCH)
    assert words.heading == "Office Maker peut être rouvert"
    assert list(labels(words)) == [Press.OK, Press.OPEN]


def test_an_updated_app_is_to_be_closed_once_more() -> None:
    words = said(Notice(NoticeKind.CLOSE_UPDATED, "Impact emploi", outlook=WALK))
    assert "It can be opened again about 14:20 (in 2 h 20 min)." in words.lines


@pytest.mark.parametrize("kind", list(NoticeKind))
@pytest.mark.parametrize("tongue", [ENGLISH, FRENCH], ids=["en", "fr"])
def test_every_notice_can_be_said_with_all_of_its_parts_and_with_none(
    kind: NoticeKind, tongue: Tongue
) -> None:
    for notice in (Notice(kind, "App"), replace(CLOSE, kind=kind, outlook=WALK, may_open=True)):
        words = said(notice, tongue)
        assert words.heading
        assert words.buttons
        assert "{" not in all_of(words)


def test_a_code_may_be_typed_only_where_it_is_allowed() -> None:
    assert Press.CODE not in labels(said(CLOSED))
    assert Press.CODE in labels(said(replace(CLOSED, may_open=True)))


@pytest.mark.parametrize("text", ["<b>x</b>", "{title}", "{0.__class__}", "%s %(name)s", "$HOME"])
def test_a_text_with_markup_in_it_is_shown_as_it_is(text: str) -> None:
    words = said(replace(CLOSE, title=text, message=text, asked_by=text))
    assert text in words.heading
    assert words.message == text
    assert f"Asked for by {text}." in words.lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x07b\x1b[31m", "a b [31m"),
        ("one\ntwo\u2028three", "one two three"),
        ("right\u202eleft", "right left"),
        ("party \U0001f389", "party"),
        ("n° 5 → ☎", "n° 5 → ☎"),
        ("fermé\u202f: oui", "fermé\u202f: oui"),
        ("W" * 600, "W" * 499 + "…"),
    ],
)
def test_what_is_not_text_is_not_drawn(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_a_wrong_clock_still_leaves_the_minutes_right() -> None:
    wrong = datetime(1990, 1, 1, 23, 50)  # noqa: DTZ001
    words = wording(replace(CLOSED, outlook=replace(WALK, back_in=1500)), ENGLISH, wrong)
    assert "back tomorrow about 00:15 (in 25 minutes)." in all_of(words)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "00:00"), (-3, "00:00"), (0.2, "00:01"), (61, "01:01"), (3600, "1:00:00")],
)
def test_a_countdown_is_minutes_and_seconds(seconds: float, expected: str) -> None:
    assert countdown(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "english", "french"),
    [
        (1, "1 minute", "1 minute"),
        (90, "2 minutes", "2 minutes"),
        (7200, "2 hours", "2 heures"),
        (8000, "2 h 15 min", "2 h 15"),
        (3 * 86400, "3 days", "3 jours"),
    ],
)
def test_a_span_is_said_as_people_do(seconds: float, english: str, french: str) -> None:
    assert span(ENGLISH, seconds) == english
    assert spaced(span(FRENCH, seconds)) == french


def test_a_near_time_is_exact_and_a_far_one_an_estimate() -> None:
    near, far = 7 * 60 + 20, 50 * 60 + 20
    assert about(ENGLISH, NOON, near) == "about 12:08"
    assert about(ENGLISH, NOON, far) == "about 12:55"
