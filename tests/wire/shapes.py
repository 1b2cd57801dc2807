"""Walks the contract's dataclasses: their leaves, good samples of them, and what is too much."""

import dataclasses
import types
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from agent.wire import contract
from agent.wire.bounds import Entries, Number, Text, Whole
from agent.wire.codec import encode
from agent.wire.contract import METHODS, Finding, OpenProgram, Severity
from tests.wire import fakes

MESSAGES: list[type] = list(dict.fromkeys(kind for pair in METHODS.values() for kind in pair))
Path = tuple[str, ...]


def fields_of(kind: type) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        yield field.name, hints[field.name]


def inner(annotation: Any) -> Any:
    """The type of an optional field, or the annotation itself."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return next(a for a in get_args(annotation) if a is not type(None))
    return annotation


def leaves(kind: type) -> Iterator[tuple[Path, Any]]:
    """Every field below `kind` that is not a message itself, with its annotation."""
    for name, annotation in fields_of(kind):
        plain = inner(annotation)
        if dataclasses.is_dataclass(plain):
            yield from (((name, *path), leaf) for path, leaf in leaves(plain))  # type: ignore[arg-type]
        else:
            yield (name,), plain


def members(annotation: Any) -> Any:
    """What a list or dict holds; None for anything else."""
    if get_origin(annotation) is Annotated and isinstance(get_args(annotation)[1], Entries):
        return get_args(get_args(annotation)[0])[0]
    return None


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Good values of a field, small ones."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return st.none() | values(inner(annotation))
    if get_origin(annotation) is Annotated:
        return _bounded(*get_args(annotation)[:2])
    if annotation is bool:
        return st.booleans()
    if issubclass(annotation, Enum):
        return st.sampled_from(list(annotation))
    return st.builds(annotation, **{n: values(a) for n, a in fields_of(annotation)})


def _bounded(base: Any, bound: Any) -> st.SearchStrategy[Any]:
    if isinstance(bound, Text):
        return _texts(bound)
    if isinstance(bound, Whole):
        return st.integers(bound.least, bound.most)
    if isinstance(bound, Number):
        return st.floats(bound.least, bound.most)
    if get_origin(base) is dict:
        return st.dictionaries(_texts(Text(bound.key)), _texts(Text(bound.value)), max_size=3)
    return st.lists(values(get_args(base)[0]), max_size=2).map(tuple)


def _texts(bound: Text) -> st.SearchStrategy[str]:
    if bound.pattern:
        exact = st.from_regex(bound.pattern, fullmatch=True)
        return exact.filter(lambda text: len(text) <= bound.most)
    printable = st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" ")
    return st.text(printable, max_size=min(bound.most, 30))


def bad_values(annotation: Any) -> list[Any]:
    """What a field of this annotation must refuse."""
    if annotation is bool:
        return [1, "true", None, []]
    if get_origin(annotation) is not Annotated:
        return ["no such word", 7, None, [], {}]
    base, bound = get_args(annotation)[:2]
    if isinstance(bound, Text):
        over = ["x" * (bound.most + 1), "a\nb", "a\x00b", "\ud800", 7, None, ["x"]]
        return [*over, "!"] if bound.pattern else over
    if isinstance(bound, Whole):
        return [bound.least - 1, bound.most + 1, 0.5, "1", True, None]
    if isinstance(bound, Number):
        odd = [float("nan"), float("inf"), 10**400, "1", True, None]
        return [bound.least - 1, bound.most * 2 + 1, *odd]
    return _bad_entries(base, bound)


def _bad_entries(base: Any, bound: Entries) -> list[Any]:
    if get_origin(base) is dict:
        many = {str(number): "" for number in range(bound.most + 1)}
        return [many, {"k" * (bound.key + 1): ""}, {"k": "v" * (bound.value + 1)}, {"k": 1}, [], 7]
    item = encode(good_entry(get_args(base)[0]))
    return [[item] * (bound.most + 1), {}, "text", 7, None, [7]]


def good_entry(kind: Any) -> Any:
    """One good entry of a list of the contract."""
    samples = {
        Finding: Finding("disk-low", Severity.NOTE, "little space"),
        OpenProgram: OpenProgram("ada", "1", "app", 1, 1.0),
    }
    return samples.get(kind, "a line")


def sample(kind: type) -> Any:
    """A good message of a kind, with every optional part there."""
    target = encode(fakes.TARGET)
    wire = next(encode(v) for v in _samples() if type(v) is kind)
    if "params" in wire:
        wire["params"]["package"] = target
    return wire


def _samples() -> list[object]:
    return [
        contract.HelloAsk(1, "0.1.0"),
        fakes.HELLO,
        fakes.START,
        fakes.REPORT,
        contract.StepReport(fakes.STEP_ID, contract.Direction.DO, contract.StepState.DONE),
        contract.CancelOrder(fakes.STEP_ID, contract.Direction.DO, fakes.FENCE),
        fakes.CORDON,
        contract.UncordonOrder(fakes.ROLLOUT, fakes.FENCE),
        contract.Sight(contract.CordonMode.NONE),
        contract.LogAsk(),
        contract.LogPage(),
    ]
