"""Python's values and the API's messages, and what the API has: its methods by their names."""

from __future__ import annotations

import datetime
import importlib
import json
from typing import Any, Mapping, Sequence, TypedDict, Union

Seconds = Union[float, datetime.timedelta]
Fields = Mapping[str, Any]

# Fields of a TaskSpec, as its proto says. Messages are dicts, enums the ends of their names.
Options = TypedDict('Options', {
    'content_type': str, 'queue': str, 'priority': int, 'delay': Seconds, 'timeout': Seconds,
    'retry_policy': Fields, 'request_id': str, 'labels': Mapping[str, str], 'durability': str,
    'start_time': datetime.datetime, 'schedule_to_start_timeout': Seconds, 'unique_key': Fields,
    'heartbeat_timeout': Seconds, 'limit_keys': Sequence[str], 'slot_cost': int,
    'after': Sequence[str], 'after_condition': str, 'sequence': Fields, 'webhook': Fields,
    'input_payload': str}, total=False)

# How a client connects; files are PEM.
Connection = TypedDict('Connection', {
    'token': str, 'ca_cert': str, 'client_cert': str, 'client_key': str, 'tenant': str,
    'call_timeout': float, 'retry_for': float}, total=False)


class Spec(Options, total=False):
    """One of many; `input` is an object for JSON, or bytes."""

    function: str
    input: Any


# Fields of a TaskFilter.
Filter = TypedDict('Filter', {
    'states': Sequence[str], 'function': str, 'labels': Mapping[str, str],
    'created_from': datetime.datetime, 'created_before': datetime.datetime,
    'ended_from': datetime.datetime, 'ended_before': datetime.datetime, 'error_code': int,
    'error_reason': str, 'worker': str, 'text': str, 'parent_task': str, 'names': Sequence[str],
    'sequence_key': str}, total=False)

METHODS = {
    method.name: method
    for name in ('fairness', 'inspect', 'operation', 'payload', 'pool', 'queue', 'schedule', 'task',
                 'tenant', 'worker', 'worker_gateway')
    for service in importlib.import_module(
        f'grove._stubs.{name}_service_pb2').DESCRIPTOR.services_by_name.values()
    for method in service.methods}


def request(method: str, **fields: Any) -> Any:
    """The request of a method."""
    return fill(METHODS[method].input_type._concrete_class(), fields)


def fill(message: Any, fields: Fields) -> Any:
    """Sets fields from Python's values: seconds, datetimes, enums' short names, dicts, lists."""
    for name, value in fields.items():
        field = message.DESCRIPTOR.fields_by_name.get(name)
        if field is None:
            raise TypeError(f'{message.DESCRIPTOR.name} has no field {name!r}')
        if value is None:
            continue
        kind = field.message_type
        if name == 'input' and not isinstance(value, bytes):
            message.input = json.dumps(value).encode()
        elif kind is not None and kind.GetOptions().map_entry:
            getattr(message, name).update(value)
        elif field.label == field.LABEL_REPEATED:
            getattr(message, name).extend(_one(field, each) for each in value)
        elif kind is not None:
            getattr(message, name).CopyFrom(_one(field, value))
        else:
            setattr(message, name, _one(field, value))
            if name == 'input' and 'content_type' not in fields:
                message.content_type = 'application/octet-stream'
    return message


def _one(field: Any, value: Any) -> Any:
    if field.enum_type is not None and isinstance(value, str):
        for name, each in field.enum_type.values_by_name.items():
            if value in (name, short(field.enum_type, each.number)):
                return each.number
        raise ValueError(f'{field.name}: there is no {value!r}')
    if field.message_type is None:
        return value
    message = field.message_type._concrete_class()
    if isinstance(value, type(message)):
        return value
    if message.DESCRIPTOR.name == 'Duration':
        message.FromTimedelta(value if isinstance(value, datetime.timedelta)
                              else datetime.timedelta(seconds=value))
    elif message.DESCRIPTOR.name == 'Timestamp':
        message.FromDatetime(value.astimezone(datetime.timezone.utc))
    elif message.DESCRIPTOR.name == 'FieldMask':
        message.paths.extend(value)
    else:
        fill(message, value)
    return message


def short(enum: Any, number: int) -> str:
    """TASK_STATE_QUEUED is QUEUED; a number that is newer than this client is itself."""
    value = enum.values_by_number.get(number)
    prefix = enum.values_by_number[0].name.removesuffix('UNSPECIFIED')
    return str(value.name.removeprefix(prefix) if value else number)


def decoded(data: bytes, content_type: str) -> Any:
    """JSON as Python's objects, all else as bytes; None for nothing."""
    if not data:
        return None
    return json.loads(data) if content_type in ('', 'application/json') else data
