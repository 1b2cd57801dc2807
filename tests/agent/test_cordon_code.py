"""The one-time code, typed at the host by somebody who needs the app now."""

import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cordon import CodeRefused
from agent.cordon_code import NOT_THE_CODE, NOTHING_CLOSED, TOO_MANY
from agent.journal import CODE_TRIES, HOST_CODE_TRIES, Journal
from agent.service import judged
from agent.session.messages import CodeJudged
from agent.wire.codes import hash_code
from agent.wire.contract import CordonMode
from tests.agent.fakes import LATER_ROLLOUT
from tests.agent.test_cordon import CODE, LEASED, SALT, WITH_CODE, Host

LATER = replace(WITH_CODE, rollout=LATER_ROLLOUT, code_hash=hash_code("OTHER", SALT))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_tries_outlive_the_agent(host: Host) -> None:
    for _ in range(CODE_TRIES):
        with host.agent() as cordon:
            cordon.apply(WITH_CODE)
            with pytest.raises(CodeRefused, match=NOT_THE_CODE):
                cordon.open_by_code("WRONG")
    with host.agent() as cordon:
        with pytest.raises(CodeRefused, match=TOO_MANY):
            cordon.open_by_code(CODE)
        assert cordon.look().mode is CordonMode.SEALED


def test_many_who_try_at_once_have_no_more_tries_together(host: Host) -> None:
    said: list[str] = []
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)

        def attempt() -> None:
            try:
                cordon.open_by_code("WRONG")
            except CodeRefused as why:
                said.append(str(why))

        threads = [threading.Thread(target=attempt) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(said) == sorted([NOT_THE_CODE] * CODE_TRIES + [TOO_MANY] * (20 - CODE_TRIES))


def test_who_types_wrong_codes_keeps_nobody_else_from_typing_the_right_one(host: Host) -> None:
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)
        for _ in range(CODE_TRIES):
            assert NOT_THE_CODE in judged(cordon, "eve", "WRONG").why
        assert judged(cordon, "eve", CODE) == CodeJudged(False, TOO_MANY)
        assert judged(cordon, "marie", CODE) == CodeJudged(True)


def test_the_administrator_may_type_it_whatever_users_have_typed(host: Host) -> None:
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)
        for number in range(HOST_CODE_TRIES):
            judged(cordon, f"user{number}", "WRONG")
        assert judged(cordon, "marie", CODE) == CodeJudged(False, TOO_MANY)
        cordon.open_by_code(CODE)
        assert cordon.look().code_used


def test_the_right_code_typed_twice_at_once_opens_once_and_is_no_fault(host: Host) -> None:
    refused: list[str] = []
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)

        def attempt() -> None:
            try:
                cordon.open_by_code(CODE)
            except CodeRefused as why:
                refused.append(str(why))

        threads = [threading.Thread(target=attempt) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert cordon.look().code_used
    assert refused in ([], [NOTHING_CLOSED])


def test_a_code_opens_also_while_the_cordon_is_renewed_all_the_time(host: Host) -> None:
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)
        over = threading.Event()

        def renew() -> None:
            while not over.is_set():
                host.platform.now += 0.001
                cordon.apply(WITH_CODE)

        renewing = threading.Thread(target=renew)
        renewing.start()
        cordon.open_by_code(CODE)
        over.set()
        renewing.join()
        sight = cordon.apply(WITH_CODE)
        assert (sight.mode, sight.code_used) == (CordonMode.NONE, True)


def test_the_code_of_one_rollout_never_opens_the_next(host: Host) -> None:
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)
        before = cordon.state()[1]
        assert before is not None
        cordon.apply(LATER)
        with closing(Journal.open(host.config.state / "j")) as journal:
            assert not journal.open_cordon(before.record, "code")  # checked before, used after
        with pytest.raises(CodeRefused):
            cordon.open_by_code(CODE)
        assert cordon.look().mode is CordonMode.SEALED
        cordon.open_by_code("OTHER")


@pytest.mark.parametrize("code", ["", "\0", "é" * 100, "A" * 1_000_000, "'; DROP TABLE cordon"])
def test_garbage_is_no_code(host: Host, code: str) -> None:
    with host.agent() as cordon:
        cordon.apply(WITH_CODE)
        with pytest.raises(CodeRefused, match=NOT_THE_CODE):
            cordon.open_by_code(code)
        assert cordon.look().mode is CordonMode.SEALED


def test_what_is_refused_says_what_to_do_and_whom_to_ask() -> None:
    assert "ask the person who runs the update" in NOT_THE_CODE
    assert "wait a minute" in TOO_MANY


def test_who_is_told_that_it_is_closed_is_left_in_peace_once_the_code_was_typed(
    host: Host,
) -> None:
    with host.agent() as cordon:
        cordon.apply(replace(WITH_CODE, text="closed"))
        host.platform.open(host.app)
        cordon.look()
        cordon.open_by_code(CODE)
        assert host.people.said == ["closed", ""]
        assert cordon.look().code_used


def test_a_cordon_that_an_older_agent_wrote_can_be_changed(host: Host) -> None:
    with host.agent(guard=False) as cordon:
        cordon.apply(WITH_CODE)
    with closing(Journal.open(host.config.state / "j")) as journal:
        older = "UPDATE cordon SET record = replace(record, '\"block\":false,', '')"
        assert journal._file.write(older) == 1  # it knew less
    with host.agent() as cordon:
        assert cordon.apply(LEASED).refusal is None
        cordon.open_by_code(CODE)
        assert cordon.look().mode is CordonMode.NONE
