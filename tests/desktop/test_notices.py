"""Every notice on a real screen, in both languages: its text is read from the picture.

The pictures stay in build/screens, to be looked at.
"""

import re
import unicodedata
from dataclasses import replace

import pytest

from agent.session.messages import CodeJudged
from agent.wire.notices import Notice, NoticeKind, Outlook
from tests.desktop.people import Hands, Service
from tests.desktop.screens import picture, text_of, x_server

WALK = Outlook("PC-04", 3, 12, 1500)
APP = Notice(NoticeKind.AHEAD, "Office Maker", "26.10", "Marie Dupont")
NOTICES = (
    replace(
        APP, kind=NoticeKind.AHEAD, message="Back after lunch.", seconds_left=7200, takes=2700
    ),
    replace(APP, kind=NoticeKind.CLOSE, seconds_left=245, takes=1500, postpones_left=2),
    replace(APP, kind=NoticeKind.CLOSED, outlook=WALK),
    replace(APP, kind=NoticeKind.YOUR_TURN, seconds_left=1200),
    replace(APP, kind=NoticeKind.CLOSE_UPDATED, outlook=WALK),
    replace(APP, kind=NoticeKind.AVAILABLE),
)
READ = {
    ("ahead", "en"): ("Office Maker will be updated", "in 2 hours", "Back after lunch", "45 min"),
    ("ahead", "fr"): ("Office Maker va être mis à jour", "dans 2 heures", "enregistrer"),
    ("close", "en"): ("Please save your work and close Office Maker", "Asked for by Marie"),
    ("close", "fr"): ("Enregistrez votre travail", "À la demande de Marie Dupont", "25 minutes"),
    ("closed", "en"): ("Office Maker is being updated", "workstation 3 of 12", "25 minutes"),
    ("closed", "fr"): ("en cours de mise à jour", "poste 3 sur 12", "dans 25 minutes"),
    ("your-turn", "en"): ("Your turn: update Office Maker", "version 26.10 from inside"),
    ("your-turn", "fr"): ("mettez Office Maker à jour", "Les autres postes attendent"),
    ("close-updated", "en"): ("Office Maker is updated here", "close it once more"),
    ("close-updated", "fr"): ("Office Maker est à jour sur ce poste", "Refermez-le encore une"),
    ("available", "en"): ("Office Maker can be opened again", "It now has version 26.10"),
    ("available", "fr"): ("Office Maker peut être rouvert", "Merci de votre patience"),
}


def letters(text: str) -> str:
    """Return the letters and digits alone, without accents: what can be read surely."""
    bare = unicodedata.normalize("NFKD", text)
    return re.sub(r"[^a-z0-9]", "", bare.lower())


def assert_reads(text: str, *expected: str) -> None:
    missed = [words for words in expected if letters(words) not in letters(text)]
    assert not missed, text


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: notice.kind.value)
def test_every_notice_can_be_read_on_the_screen(
    notice: Notice, language: str, display: str, hands: Hands
) -> None:
    with Service(display, language) as service:
        service.show(notice)
        window = hands.notice(service)
        hands.is_still(window)
        file = picture(display, f"{notice.kind}-{language}", window.id)
        assert_reads(text_of(file, language), *READ[notice.kind.value, language])


@pytest.mark.parametrize(
    ("notice", "button", "said"),
    [
        (NOTICES[1], 1, {"en": "Thank you. Office Maker is being closed", "fr": "être fermé"}),
        (
            NOTICES[3],
            0,
            {"en": "Thank you. This is being checked", "fr": "Merci. Vérification en cours"},
        ),
    ],
    ids=["close", "your-turn"],
)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_who_says_done_is_answered_in_their_language(
    notice: Notice, button: int, said: dict[str, str], language: str, display: str, hands: Hands
) -> None:
    with Service(display, language) as service:
        service.show(notice)
        window = hands.notice(service)
        hands.change(window, lambda: hands.click_button(window, button))
        file = picture(display, f"{notice.kind}-done-{language}", window.id)
        assert_reads(text_of(file, language), said[language])


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_a_code_does_is_told_before_it_can_be_typed(
    language: str, display: str, hands: Hands
) -> None:
    stake = {"en": "stops the update of the whole office", "fr": "mise à jour de tous les postes"}
    refused = {"en": "This code was not accepted", "fr": "pas été accepté"}
    with Service(display, language) as service:
        service.show(replace(NOTICES[2], may_open=True))
        window = hands.notice(service)
        hands.change(window, lambda: hands.click_button(window, 0))
        file = picture(display, f"code-{language}", window.id)
        assert_reads(text_of(file, language), stake[language])
        hands.change(window, lambda: service.send(CodeJudged(opened=False)))
        file = picture(display, f"code-refused-{language}", window.id)
        assert_reads(text_of(file, language), refused[language])


def test_texts_of_others_are_shown_as_they_are_and_never_leave_the_window(
    display: str, hands: Hands
) -> None:
    rude = Notice(
        NoticeKind.CLOSE,
        "<b>Office</b> {title} " + "W" * 400,
        message="<a href='x'>click</a> %s {0} " + "x" * 400,
        asked_by="Z" * 100,
        seconds_left=3000,
        postpones_left=100,
    )
    with Service(display) as service:
        service.show(rude)
        window = hands.notice(service)
        hands.is_still(window)
        text = text_of(picture(display, "rude", window.id))
        assert_reads(text, "<b>Office</b> {title}", "href")
        left, top, wide, high = hands.place(window.id)
        assert left >= 0
        assert top >= 0
        assert left + wide <= 1280
        assert top + high <= 800


def test_text_is_as_large_as_the_desktop_wants_it() -> None:
    with x_server("-dpi", "96") as display, Hands(display) as hands:
        sizes = []
        for dots in (96, 192):
            hands.set_resources(f"Xft.dpi:\t{dots}\n")
            with Service(display, "fr") as service:
                service.show(NOTICES[2])
                window = hands.notice(service)
                hands.is_still(window)
                picture(display, f"closed-fr-{dots}dpi", window.id)
                sizes.append(hands.place(window.id)[2:])
    assert sizes[1][0] == pytest.approx(2 * sizes[0][0], rel=0.1)
    assert sizes[1][1] == pytest.approx(2 * sizes[0][1], rel=0.25)
