"""Whatever bytes come over an authenticated link, the agent ends it or answers, and lives."""

import json
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.wire.contract import METHODS, Sight
from agent.wire.errors import LinkError
from agent.wire.link import Ending, LinkDaemon
from tests.wire.fakes import CORDON, FakeAgent
from tests.wire.pair import served, tls_pair
from tests.wire.pki import TestCa
from tests.wire.raw import after_request, call_of, frame, has_ended, hostile_agent

QUIET = settings(max_examples=60, deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=9), inside),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.integers(0, 255),
        "serializer": st.integers(0, 255),
        "flags": st.integers(0, 65535),
        "seq": st.integers(0, 65535),
        "size": st.integers(0, 2**32 - 1),
        "annotations": st.binary(max_size=40),
        "tag": st.binary(min_size=4, max_size=4),
        "version": st.integers(0, 65535),
    },
)
GOOD = frame(call_of("log", {"since": 0, "most": 10}))


def ends_in_order(ca: TestCa, sent: bytes) -> bool:
    """True when an agent that was sent this, and then the end, returned from serving."""
    endings: list[Ending] = []
    with tls_pair(ca) as ends:
        daemon = LinkDaemon(ends.agent, FakeAgent(), 5)
        thread = threading.Thread(target=lambda: endings.append(daemon.serve()))
        thread.start()
        ends.coordinator.sendall(sent)
        socket.socket.shutdown(ends.coordinator, socket.SHUT_WR)
        assert has_ended(ends.coordinator)
        thread.join(10)
    return len(endings) == 1


@QUIET
@given(header=HEADERS, payload=st.binary(max_size=200))
def test_any_header_with_any_payload(ca: TestCa, header: dict[str, Any], payload: bytes) -> None:
    assert ends_in_order(ca, frame(payload, **header))


@QUIET
@given(header=HEADERS)
def test_any_header_with_a_good_call(ca: TestCa, header: dict[str, Any]) -> None:
    assert ends_in_order(ca, frame(call_of("log", {}), **header))


@QUIET
@given(noise=st.binary(max_size=500))
def test_any_bytes(ca: TestCa, noise: bytes) -> None:
    assert ends_in_order(ca, noise)


@QUIET
@given(payload=JSON)
def test_any_json_as_a_call(ca: TestCa, payload: Any) -> None:
    assert ends_in_order(ca, frame(json.dumps(payload).encode()))


@QUIET
@given(
    method=st.sampled_from(list(METHODS)) | st.text(max_size=12), args=st.lists(JSON, max_size=2)
)
def test_any_arguments_of_any_method(ca: TestCa, method: str, args: list[Any]) -> None:
    assert ends_in_order(ca, frame(call_of(method, *args)))


@QUIET
@given(obj=JSON, named=st.dictionaries(st.text(max_size=5), JSON, max_size=2))
def test_any_object_and_any_named_arguments(ca: TestCa, obj: Any, named: dict[str, Any]) -> None:
    call = {"object": obj, "method": "log", "params": [], "kwargs": named}
    assert ends_in_order(ca, frame(json.dumps(call).encode()))


@QUIET
@given(header=HEADERS, payload=st.binary(max_size=80) | JSON.map(lambda v: json.dumps(v).encode()))
def test_any_answer_is_an_answer_or_an_error_of_the_link(
    ca: TestCa, header: dict[str, Any], payload: bytes
) -> None:
    answer = frame(payload, **{"kind": 5, **header})
    with hostile_agent(ca, after_request(answer)) as link, suppress(LinkError):
        assert isinstance(link.call("cordon", CORDON, 0.5), Sight)


@pytest.mark.parametrize("at", range(0, len(GOOD), 7))
def test_a_call_cut_at_any_byte_ends_the_link(ca: TestCa, at: int) -> None:
    assert ends_in_order(ca, GOOD[:at])


def test_after_all_that_a_fresh_link_is_served(ca: TestCa) -> None:
    with served(ca, FakeAgent()) as linked:
        assert linked.link.call("cordon", CORDON, 5).guarded
