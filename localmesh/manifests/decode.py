"""YAML nodes -> records, strictly, by the type hints of the record classes.

Every field is read by a decoder that is made once per class. All problems are collected; a record is only made where
nothing in it was refused.
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from localmesh.codes import NOT_HERE, UNKNOWN_FIELD
from localmesh.errors import Problems
from localmesh.manifests import unsupported, values
from localmesh.manifests.nodes import Reading, described, entries, joined, nearest
from localmesh.manifests.record import QUANTITY, STRUCT, DurationForm, Place, Range, Record, spelled
from localmesh.manifests.scalars import is_null
from localmesh.manifests.values import INVALID, Decoder

T = TypeVar("T", bound=Record)

_OWN = frozenset({"where", "places"})


@dataclass(frozen=True, slots=True)
class _FieldPlan:
    """How one field of a record is read. `implied` is the record that an absent field stands for."""

    name: str
    decode: Decoder
    required: bool
    implied: type[Record] | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a record class is read: its fields by their names in the API, and the names that are taken but not kept."""

    cls: type[Record]
    names: Mapping[str, str]
    fields: Mapping[str, _FieldPlan]
    ignored: frozenset[str]
    refused: Mapping[str, str]

    @property
    def spoken(self) -> str:
        """The message's name in a sentence."""
        return self.cls.__name__.removesuffix("Spec")


def decode_document(node: yaml.Node, cls: type[T], file: str) -> T:
    """A whole document as a record. Raises Problems that name every place that is wrong."""
    reading = Reading(file)
    record = read(cls, node, "", reading)
    if reading.problems or record is None:
        raise Problems(reading.problems)
    return record


def read(cls: type[T], node: yaml.Node, path: str, reading: Reading) -> T | None:
    """A node as a record, or None where it cannot be made; what is wrong, in either case, is in `reading`."""
    kind: Any = cls
    record = _read(plan_of(kind), node, path, reading)
    return record if isinstance(record, cls) else None


@cache
def plan_of(cls: Any) -> _Plan:
    """The plan of a record class, made once."""
    hints = get_type_hints(cls, include_extras=True)
    names = spelled(cls)
    own = [each for each in fields(cls) if each.name not in _OWN]
    plans = {names[each.name]: _field_plan(each, hints[each.name]) for each in own}
    plans |= {each.metadata["also"]: plans[names[each.name]] for each in own if "also" in each.metadata}
    return _Plan(cls, names, plans, cls.NO_LOCAL_MEANING, unsupported.fields_of(cls.__name__))


def _field_plan(each: Field[Any], hint: Any) -> _FieldPlan:
    required = each.default is MISSING and each.default_factory is MISSING
    implied = hint if isinstance(hint, type) and issubclass(hint, Record) and not required else None
    return _FieldPlan(each.name, decoder_of(hint), required, implied)


def decoder_of(hint: Any) -> Decoder:
    """The decoder of a type hint. Raises KeyError for one that no YAML value can have: a mistake in a record."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is None:
        return _of_class(hint)
    if origin in {Union, types.UnionType}:
        members = [each for each in args if each is not type(None)]
        return decoder_of(members[0]) if len(members) == 1 else values.integer_or_text
    if origin is tuple:
        return values.list_of(decoder_of(args[0]))
    if origin is Annotated:
        return _annotated(args[0], args[1])
    return values.one_of(args) if origin is Literal else _of_map(*args)


def _of_class(cls: Any) -> Decoder:
    if issubclass(cls, Record):
        return lambda node, path, reading: _read(plan_of(cls), node, path, reading)
    return _BY_TYPE[cls]


def _of_map(key: Any, value: Any) -> Decoder:
    bounds = get_args(key)[1] if get_origin(key) is Annotated else None
    return values.map_of(bounds, decoder_of(value))


_BY_TYPE: Mapping[type, Decoder] = {
    str: values.text,
    bool: values.boolean,
    float: values.number,
    int: values.integer(None),
    bytes: values.binary,
}


def _annotated(base: Any, mark: object) -> Decoder:
    if isinstance(mark, Range):
        return values.integer(mark)
    if isinstance(mark, DurationForm):
        return values.duration(mark)
    if mark is STRUCT:
        return values.tree
    if mark is QUANTITY:
        return values.quantity
    raise TypeError(f"no YAML value is an Annotated[{base}, {mark}]")


def _read(plan: _Plan, node: yaml.Node, path: str, reading: Reading) -> Any:
    if not isinstance(node, yaml.MappingNode):
        reading.refuse(node, path, f"expected a mapping ({plan.spoken}), not {described(node)}")
        return INVALID
    found: dict[str, Any] = {}
    places: dict[str, Place] = {}
    known = True
    for name, key, value in entries(node, path, reading):
        field_plan = plan.fields.get(name)
        if name in plan.refused:
            what = f"{name} runs in the cluster, not locally"
            reading.refuse(key, joined(path, name), what, plan.refused[name], NOT_HERE.code)
        elif field_plan is None:
            known = known and name in plan.ignored
            if name not in plan.ignored:
                _refuse_unknown(plan, name, key, path, reading)
        elif not is_null(value):
            found[field_plan.name] = field_plan.decode(value, joined(path, name), reading)
            _note_places(places, name, value)
    where = reading.where(node, path)
    sound = _complete(plan, found, node, path, reading) and known and _exclusive(plan, found, node, path, reading)
    return plan.cls(where=where, places=places, **found) if sound else INVALID


def _note_places(places: dict[str, Place], name: str, value: yaml.Node) -> None:
    """Remember where a field and, one level down, its items were written."""
    mark = value.start_mark
    places[name] = (mark.line + 1, mark.column + 1)
    if isinstance(value, yaml.SequenceNode):
        for index, each in enumerate(value.value):
            mark = each.start_mark
            places[f"{name}[{index}]"] = (mark.line + 1, mark.column + 1)
    elif isinstance(value, yaml.MappingNode):
        for key, _ in value.value:
            mark = key.start_mark
            places[f"{name}[{key.value}]"] = (mark.line + 1, mark.column + 1)


def _refuse_unknown(plan: _Plan, name: str, key: yaml.Node, path: str, reading: Reading) -> None:
    known = [*plan.fields, *plan.ignored, *plan.refused]
    reading.refuse(
        key, joined(path, name), f'{plan.spoken} has no field "{name}"', nearest(name, known), UNKNOWN_FIELD.code
    )


def _complete(plan: _Plan, found: dict[str, Any], node: yaml.Node, path: str, reading: Reading) -> bool:
    """Whether all required fields are there. Absent records that the API implies are put in, with this place."""
    sound = not any(value is INVALID for value in found.values())
    for name, each in plan.fields.items():
        if each.name in found:
            continue
        if each.required:
            reading.refuse(node, path, f"{name} is missing", f"{plan.spoken} needs it")
            sound = False
        elif each.implied:
            found[each.name] = each.implied(where=reading.where(node, joined(path, name)))
    return sound


def _exclusive(plan: _Plan, found: dict[str, Any], node: yaml.Node, path: str, reading: Reading) -> bool:
    """Whether each group of alternatives has at most one field set, and the group that needs one has one."""
    names, sound = plan.names, True
    for group in (*plan.cls.AT_MOST_ONE, plan.cls.EXACTLY_ONE):
        chosen = [names[each] for each in group if each in found]
        if len(chosen) > 1:
            reading.refuse(node, path, f"only one of {' and '.join(chosen)} may be set", "they are alternatives")
            sound = False
    needed = [names[each] for each in plan.cls.EXACTLY_ONE]
    if needed and not any(each in found for each in plan.cls.EXACTLY_ONE):
        reading.refuse(node, path, f"one of {', '.join(needed)} is needed")
        sound = False
    return sound
