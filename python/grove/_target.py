"""Which daemon, and as whom: as given, else by the environment, else grovectl's context."""

from __future__ import annotations

import os
import pathlib
from typing import Any, NamedTuple, Optional

import grpc

DEFAULT_ADDRESS = '127.0.0.1:8091'
OPTIONS = [
    ('grpc.enable_http_proxy', 0), ('grpc.use_local_subchannel_pool', 1),
    ('grpc.max_receive_message_length', 512 << 20), ('grpc.max_metadata_size', 256 << 10),
    # A control that was restarted is back within a second.
    ('grpc.initial_reconnect_backoff_ms', 100), ('grpc.min_reconnect_backoff_ms', 1000),
    ('grpc.max_reconnect_backoff_ms', 2000),
    ('grpc.keepalive_time_ms', 30_000), ('grpc.keepalive_timeout_ms', 20_000)]


class Target(NamedTuple):
    """Where a client connects to."""

    address: str
    token: str
    credentials: Any


def _context(name: Optional[str]) -> dict[str, str]:
    """Of grovectl's file; empty where none counts."""
    given = os.environ.get('GROVECTL_CONFIG')
    base = os.environ.get('XDG_CONFIG_HOME') or os.path.join(os.environ.get('HOME', ''), '.config')
    path = pathlib.Path(given or os.path.join(base, 'grove/config.yaml'))
    if not path.exists():
        if name:
            raise ValueError(f'there is no context {name!r}: no file {path}')
        return {}
    import yaml  # Only who has contexts needs it.
    contexts = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
    name = name or contexts.get('current')
    if not name:
        return {}
    if name not in contexts.get('contexts', {}):
        raise ValueError(f'there is no context {name!r} in {path}')
    return dict(contexts['contexts'][name])


def _content(path: Optional[str]) -> Optional[bytes]:
    return pathlib.Path(path).read_bytes() if path else None


def find(address: Optional[str], context: Optional[str], token: Optional[str],
         ca_cert: Optional[str], client_cert: Optional[str], client_key: Optional[str]) -> Target:
    """A context in use counts only without an address, so that its token goes nowhere else."""
    elsewhere = address or os.environ.get('GROVE_ADDRESS')
    known = _context(context) if context or not elsewhere else {}
    address = (address or known.get('address') or os.environ.get('GROVE_ADDRESS')
               or DEFAULT_ADDRESS)
    if token is None:
        token = (pathlib.Path(known['token_file']).read_text(encoding='utf-8').strip()
                 if 'token_file' in known else os.environ.get('GROVE_TOKEN', ''))
    roots = _content(ca_cert or known.get('ca_cert'))
    chain = _content(client_cert or known.get('client_cert'))
    key = _content(client_key or known.get('client_key'))
    if bool(chain) != bool(key):
        raise ValueError('client_cert and client_key: want both or none')
    if chain and not roots:
        raise ValueError('client_cert: is shown over TLS alone; give ca_cert')
    credentials = grpc.ssl_channel_credentials(roots, key, chain) if roots else None
    return Target(address, token, credentials)
