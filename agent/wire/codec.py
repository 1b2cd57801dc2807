"""Turns the contract's dataclasses into plain JSON values and back, within their bounds.

Pyro5 carries built-in types only: it refuses our classes and turns an enum into a bare string.
So both sides call `encode` and `decode`. `decode` never trusts: a value outside its bound, of
another type or missing raises `BadMessage`, which names the field.
"""

import dataclasses
import functools
import re
import types
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from agent.wire.bounds import Entries, Number, Text, Whole

T = TypeVar("T")
Json = Any
_NO_BREAK_SPACES = dict.fromkeys(
    (0x00A0, 0x202F), " "
)  # a French text has them before ":" and "?"


class BadMessage(ValueError):  # noqa: N818 - reads better where it is caught
    """A peer sent what the contract does not admit."""


def encode(message: object) -> dict[str, Json]:
    """Return the message as the plain dict that travels."""
    return cast("dict[str, Json]", _plain(message))


def _plain(value: object) -> Json:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def decode(kind: type[T], wire: Json) -> T:
    """Return the message a peer sent; fields it has too many are ignored."""
    return cast("T", _message(kind, wire, kind.__name__))


def _message(kind: type, wire: Json, where: str) -> object:
    if not isinstance(wire, dict):
        raise BadMessage(f"{where}: not an object")
    values = {}
    for name, annotation, required in _fields(kind):
        if name in wire:
            values[name] = _read(annotation, wire[name], f"{where}.{name}")
        elif required:
            raise BadMessage(f"{where}.{name}: missing")
    return kind(**values)


@functools.cache
def _fields(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        (
            f.name,
            hints[f.name],
            f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
        )
        for f in dataclasses.fields(kind)
    )


def _read(annotation: Any, value: Json, where: str) -> Any:
    if get_origin(annotation) is Annotated:
        base, bound = get_args(annotation)[:2]
        return _bounded(base, bound, value, where)
    if get_origin(annotation) in {Union, types.UnionType}:
        return _optional(annotation, value, where)
    if annotation is bool:
        return _of_type(value, bool, where)
    if issubclass(annotation, Enum):
        return _member(annotation, value, where)
    return _message(annotation, value, where)


def _optional(annotation: Any, value: Json, where: str) -> Any:
    if value is None:
        return None
    return _read(next(a for a in get_args(annotation) if a is not type(None)), value, where)


def _member(kind: type[Enum], value: Json, where: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise BadMessage(f"{where}: unknown word") from None


def _of_type(value: Json, kind: type, where: str) -> Json:
    if type(value) is not kind:
        raise BadMessage(f"{where}: not a {kind.__name__}")
    return value


def _bounded(base: Any, bound: Any, value: Json, where: str) -> Any:
    return _READERS[type(bound)](base, bound, value, where)


def _text(_base: Any, bound: Text, value: Json, where: str) -> str:
    text = cast("str", _of_type(value, str, where))
    if len(text) > bound.most or not text.translate(_NO_BREAK_SPACES).isprintable():
        raise BadMessage(f"{where}: longer than {bound.most}, or not printable")
    if bound.pattern and not re.fullmatch(bound.pattern, text):
        raise BadMessage(f"{where}: not of the expected form")
    return text


def _whole(_base: Any, bound: Whole, value: Json, where: str) -> int:
    number = cast("int", _of_type(value, int, where))
    if not bound.least <= number <= bound.most:
        raise BadMessage(f"{where}: not within {bound.least} to {bound.most}")
    return number


def _number(_base: Any, bound: Number, value: Json, where: str) -> float:
    if type(value) not in {int, float}:
        raise BadMessage(f"{where}: not a number")
    if not bound.least <= value <= bound.most:
        raise BadMessage(f"{where}: not within {bound.least:g} to {bound.most:g}")
    return float(value)


def _entries(base: Any, bound: Entries, value: Json, where: str) -> Any:
    kind = get_origin(base)
    wanted = dict if kind is dict else list
    if not isinstance(value, wanted) or len(value) > bound.most:
        raise BadMessage(f"{where}: not a {wanted.__name__} of at most {bound.most}")
    if isinstance(value, dict):
        return _pairs(bound, value, where)
    inner = get_args(base)[0]
    return tuple(_read(inner, item, f"{where}[{i}]") for i, item in enumerate(value))


def _pairs(bound: Entries, value: dict[Json, Json], where: str) -> dict[str, str]:
    return {
        _text(str, Text(bound.key), key, where): _text(str, Text(bound.value), item, where)
        for key, item in value.items()
    }


_READERS: dict[type, Callable[[Any, Any, Json, str], Any]] = {
    Text: _text,
    Whole: _whole,
    Number: _number,
    Entries: _entries,
}
