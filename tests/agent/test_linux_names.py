"""Names of users, with a name service that the test lets answer or not."""

import os
import pwd
import threading

import pytest

from agent.platforms.linux_names import Names, name_of
from tests.until import until


class Service:
    """A name service that knows marie and paul, and answers for marie once `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[int] = []

    def name(self, uid: int) -> str:
        self.asked.append(uid)
        if uid == 1000:
            assert self.go.wait(20)
        return {1000: "marie", 1001: "paul"}[uid]


@pytest.fixture
def service() -> Service:
    return Service()


def test_the_agents_own_user_has_the_name_that_the_system_knows() -> None:
    assert name_of(os.geteuid()) == pwd.getpwuid(os.geteuid()).pw_name


def test_a_name_that_is_not_told_is_a_number_until_it_is(service: Service) -> None:
    names = Names(service.name, patience=0.01)
    assert names.name_of(1000) == "1000"
    service.go.set()
    until(lambda: names.name_of(1000) == "marie")
    assert service.asked == [1000]


def test_who_waits_for_no_answer_keeps_no_other_name_back(service: Service) -> None:
    names = Names(service.name, patience=0.01)
    assert names.name_of(1000) == "1000"
    until(lambda: names.name_of(1001) == "paul")
    assert names.name_of(1000) == "1000"
    assert service.asked.count(1000) == 1
    service.go.set()


def test_a_name_that_is_known_is_not_asked_for_again(service: Service) -> None:
    names = Names(service.name, patience=20.0)
    assert [names.name_of(1001) for _ in range(3)] == ["paul"] * 3
    assert service.asked == [1001]


def test_who_has_no_name_is_a_number_and_not_asked_for_at_every_look(service: Service) -> None:
    names = Names(service.name, patience=20.0)
    assert [names.name_of(4711) for _ in range(3)] == ["4711"] * 3
    assert service.asked == [4711]


def test_no_more_than_a_few_are_asked_for_at_a_time() -> None:
    go, asked = threading.Event(), list[int]()

    def ask(uid: int) -> str:
        asked.append(uid)
        assert go.wait(20)
        return f"user{uid}"

    names = Names(ask, patience=0.01)
    assert [names.name_of(uid) for uid in range(50)] == [str(uid) for uid in range(50)]
    assert len(asked) <= 4
    go.set()
    until(lambda: all(names.name_of(uid) == f"user{uid}" for uid in range(50)))
