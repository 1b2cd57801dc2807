"""A mail that is sent as a test: at once, and never longer than somebody waits."""

import socket

import pytest

from coordinator.notify.line import Patience
from tests.notify.rollout import ANN, IT, MARIE, Mailed
from tests.notify.server import Office, talking


def _to(office: Office) -> list[str]:
    return [str(mail["To"]) for mail in office.box.taken]


@pytest.mark.parametrize("word", ["", "wrong"])
def test_a_test_is_sent_at_once_and_its_problem_said(
    office: Office, mailed: Mailed, word: str
) -> None:
    if word:
        office.password(word)
    with office.serving():
        (said,) = mailed.postman(office.settings()).try_out([MARIE])
    assert bool(said) is bool(word)
    assert _to(office) == ([] if word else [MARIE])


def test_a_server_that_is_away_is_tried_once_for_all_tests(office: Office, mailed: Mailed) -> None:
    asked: list[socket.socket] = []

    def silent(peer: socket.socket) -> None:
        asked.append(peer)
        peer.recv(1)

    postman = mailed.postman(office.settings(), Patience(0.2, 0.5))
    with talking(office.port, silent):
        said = postman.try_out([MARIE, ANN, IT])
    assert len(asked) == 1
    assert len(said) == 3
    assert all("it does not answer in time" in one for one in said)


def test_tests_end_before_who_asked_for_them_has_gone(office: Office, mailed: Mailed) -> None:
    postman = mailed.postman(office.settings(), Patience(5.0, 10.0, tests=0.0))
    with office.serving():
        said = postman.try_out([MARIE, ANN, IT])
    assert said == ["", *["not tried: the mail server takes too long"] * 2]
    assert _to(office) == [MARIE]
