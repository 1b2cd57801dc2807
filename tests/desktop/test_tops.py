"""Who has a window and who asks a question, from what is on a screen."""

from agent.session.tops import Place, Style, Top, asking, having_windows, to_close, under

MAIN = Top(1, 100, deletable=True)


def test_a_dialog_beside_a_main_window_is_a_question() -> None:
    tops = [MAIN, Top(2, 100, Style.DIALOG)]
    assert asking(tops) == {100}
    assert having_windows(tops) == {100}


def test_a_program_that_is_a_dialog_only_asks_nothing_and_is_closed_as_any_other() -> None:
    only = Top(1, 100, Style.DIALOG, deletable=True)
    assert asking([only]) == set()
    assert to_close([only], {100}) == [only]


def test_a_modal_window_asks_even_alone() -> None:
    assert asking([Top(1, 100, modal=True)]) == {100}


def test_a_question_that_another_process_asks_is_the_owner_s_too() -> None:
    assert asking([MAIN, Top(2, 200, owner=1)]) == {100, 200}


def test_palettes_and_panels_ask_nothing() -> None:
    tops = [MAIN, Top(2, 100, Style.BESIDE, owner=1), Top(3, 300, Style.NONE)]
    assert asking(tops) == set()
    assert having_windows(tops) == {100}


def test_the_windows_of_a_program_that_asks_are_left_to_the_person() -> None:
    question = Top(2, 100, owner=1, deletable=True)
    other = Top(3, 200, deletable=True)
    assert to_close([MAIN, question, other], {100, 200}) == [other]


def test_a_window_that_cannot_be_asked_is_left_alone() -> None:
    assert to_close([Top(1, 100)], {100}) == []


def test_other_programs_are_left_alone() -> None:
    assert to_close([MAIN], {200}) == []


def test_a_notice_comes_up_on_the_monitor_that_its_person_points_at() -> None:
    left, right = Place(0, 0, 1280, 800), Place(1280, 0, 1920, 1080)
    whole = Place(0, 0, 3200, 1080)
    places = [left, right, whole]
    assert under(1279, 799, places) == left
    assert under(1280, 0, places) == right
    assert under(100, 900, places) == whole
    assert under(-5, -5, places) == whole
