"""Nothing reaches the code behind the wire that the contract does not admit."""

import dataclasses
import json
from contextlib import suppress
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.wire.bounds import Entries, Number, Text, Whole
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.contract import METHODS, CordonOrder, HelloAsk
from tests.wire.shapes import MESSAGES, Path, bad_values, leaves, members, sample, values

LEAVES = [(kind, path, leaf) for kind in MESSAGES for path, leaf in leaves(kind)]
NAMES = [f"{kind.__name__}.{'.'.join(path)}" for kind, path, _ in LEAVES]


def is_bounded(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        bound = get_args(annotation)[1]
        inside = members(annotation)
        holds_bounded = inside is None or inside is str or all_bounded(inside)
        return isinstance(bound, Text | Whole | Number | Entries) and holds_bounded
    return annotation is bool or issubclass(annotation, Enum)


def all_bounded(kind: Any) -> bool:
    if dataclasses.is_dataclass(kind):
        return all(is_bounded(leaf) for _, leaf in leaves(kind))  # type: ignore[arg-type]
    return is_bounded(kind)


def changed(wire: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    if len(path) == 1:
        return {**wire, path[0]: value}
    return {**wire, path[0]: changed(wire[path[0]], path[1:], value)}


@pytest.mark.parametrize(("kind", "path", "leaf"), LEAVES, ids=NAMES)
def test_every_field_has_a_bound(kind: type, path: Path, leaf: Any) -> None:
    assert is_bounded(leaf)


@pytest.mark.parametrize(("kind", "path", "leaf"), LEAVES, ids=NAMES)
def test_every_bound_refuses_what_is_over_it(kind: type, path: Path, leaf: Any) -> None:
    good = sample(kind)
    decode(kind, good)
    for value in bad_values(leaf):
        if value is None and path == ("refusal",):
            continue  # the one kind of leaf that may be absent
        with pytest.raises(BadMessage):
            decode(kind, changed(good, path, value))


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("wire", [None, 7, "text", [], [{}], True])
def test_what_is_no_object_is_no_message(kind: type, wire: Any) -> None:
    with pytest.raises(BadMessage):
        decode(kind, wire)


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_missing_field_is_named(kind: type) -> None:
    for field in dataclasses.fields(kind):
        has_default = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        short = {name: value for name, value in sample(kind).items() if name != field.name}
        if has_default:
            decode(kind, short)
            continue
        with pytest.raises(BadMessage, match=f"{kind.__name__}.{field.name}: missing"):
            decode(kind, short)


@pytest.mark.parametrize("kind", MESSAGES)
def test_fields_of_a_newer_peer_are_ignored(kind: type) -> None:
    wire = sample(kind)
    assert decode(kind, {**wire, "added_in_2": {"deep": [1, None]}}) == decode(kind, wire)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MESSAGES).flatmap(values))
def test_a_message_comes_back_as_it_went(message: object) -> None:
    travelled = json.loads(json.dumps(encode(message)))
    assert decode(type(message), travelled) == message


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(MESSAGES),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=9), inside),
        max_leaves=10,
    ),
    st.data(),
)
def test_any_json_is_a_message_or_refused(kind: type, value: Any, data: st.DataObject) -> None:
    path, _ = data.draw(st.sampled_from(list(leaves(kind))))
    for wire in (value, changed(sample(kind), path, value)):
        with suppress(BadMessage):
            assert isinstance(decode(kind, wire), kind)


def test_the_message_says_which_field_cannot_be() -> None:
    with pytest.raises(BadMessage, match=r"HelloAsk\.protocol: not within 0 to 10000"):
        decode(HelloAsk, {"protocol": 10_001, "version": "0.1.0"})


@pytest.mark.parametrize("space", [0x00A0, 0x202F])
def test_a_french_text_keeps_its_no_break_spaces(space: int) -> None:
    text = f"Enregistrez votre travail{chr(space)}: fermeture à 18{chr(space)}h"
    wire = {**sample(CordonOrder), "text": text}
    order = decode(CordonOrder, json.loads(json.dumps(wire)))
    assert order.text == text
    assert decode(CordonOrder, encode(order)) == order


@pytest.mark.parametrize(
    "letter",
    [
        0x00,
        0x09,
        0x0A,
        0x0D,
        0x1B,
        0x7F,
        0x85,
        0xAD,
        0x2007,
        0x2009,
        0x200B,
        0x2028,
        0x202E,
        0xFEFF,
    ],
    ids=hex,
)
def test_no_other_letter_that_is_not_seen_is_taken(letter: int) -> None:
    wire = {**sample(CordonOrder), "text": f"a{chr(letter)}b"}
    with pytest.raises(BadMessage, match=r"CordonOrder\.text: .*not printable"):
        decode(CordonOrder, wire)


def test_the_contract_has_these_methods_and_no_other() -> None:
    assert list(METHODS) == ["hello", "start", "report", "cancel", "cordon", "uncordon", "log"]
