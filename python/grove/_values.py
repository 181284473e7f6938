"""Python's values and the API's messages, and what the API has: its methods by their names."""

from __future__ import annotations

import datetime
import importlib
import json
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor

JSON = 'application/json'
_SERVICES = ('fairness', 'inspect', 'operation', 'payload', 'pool', 'queue', 'schedule', 'task',
             'tenant', 'worker')


class Method(NamedTuple):
    """How a method is called."""

    path: str
    request: Any
    response: Any


def _load() -> tuple[dict[str, Any], dict[str, Method]]:
    types: dict[str, Any] = {}
    services = []
    for name in _SERVICES:
        module = importlib.import_module(f'grove._stubs.{name}_service_pb2')
        services += module.DESCRIPTOR.services_by_name.values()
        types.update({each: getattr(module, each)
                      for each in module.DESCRIPTOR.message_types_by_name})
    return types, {
        method.name: Method(f'/grove.v1.{service.name}/{method.name}',
                            types[method.input_type.name], types[method.output_type.name])
        for service in services for method in service.methods}


TYPES, METHODS = _load()


def request(method: str, **fields: Any) -> Any:
    """The request of a method. Fields that are None are unset."""
    return fill(METHODS[method].request(), fields)


def fill(message: Any, fields: Any) -> Any:
    """Sets fields from Python's values: seconds, datetimes, enums' short names, dicts."""
    for name, value in fields.items():
        field = message.DESCRIPTOR.fields_by_name.get(name)
        if field is None:
            raise TypeError(f'{message.DESCRIPTOR.name} has no field {name!r}')
        if value is not None:
            _set(message, field, value)
    return message


def _set(message: Any, field: Any, value: Any) -> None:
    kind = field.message_type
    if message.DESCRIPTOR.name == 'TaskSpec' and field.name == 'input':
        message.input = encoded(value)
        if isinstance(value, bytes) and not message.content_type:
            message.content_type = 'application/octet-stream'
    elif kind is not None and kind.GetOptions().map_entry:
        getattr(message, field.name).update(value)
    elif field.label == FieldDescriptor.LABEL_REPEATED:
        one = getattr(message, field.name)
        if kind is None:
            one.extend(_plain(field, each) for each in value)
        else:
            for each in value:
                _put(one.add(), each)
    elif kind is None:
        setattr(message, field.name, _plain(field, value))
    else:
        part = getattr(message, field.name)
        part.SetInParent()
        _put(part, value)


def _plain(field: Any, value: Any) -> Any:
    """An enum's value may be told by the end of its name."""
    if field.enum_type is None or not isinstance(value, str):
        return value
    for name, each in field.enum_type.values_by_name.items():
        if name == value or name == prefix(field.enum_type) + value:
            return each.number
    raise ValueError(f'{field.name}: there is no {value!r}')


def prefix(enum: Any) -> str:
    """What the names of an enum's values begin with."""
    return str(enum.values_by_number[0].name).removesuffix('UNSPECIFIED')


def _put(part: Any, value: Any) -> None:
    kind = part.DESCRIPTOR.full_name
    if isinstance(value, type(part)):
        part.CopyFrom(value)
    elif kind == 'google.protobuf.Duration':
        part.FromTimedelta(value if isinstance(value, datetime.timedelta)
                           else datetime.timedelta(seconds=value))
    elif kind == 'google.protobuf.Timestamp':
        part.FromDatetime(value.astimezone(datetime.timezone.utc))
    elif kind == 'google.protobuf.FieldMask':
        part.paths.extend(value)
    else:
        fill(part, value)


def encoded(value: Any) -> bytes:
    """Bytes as they are, all else as JSON."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def decoded(data: bytes, content_type: str) -> Any:
    """JSON as Python's objects, all else as bytes; None for nothing."""
    if not data:
        return None
    return json.loads(data) if content_type in ('', JSON) else data
