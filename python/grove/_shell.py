"""What both kinds of shell have: a channel, and how a method is called over it."""

from __future__ import annotations

import functools
from typing import Any, Optional

from grove import _values

OPTIONS = [
    ('grpc.enable_http_proxy', 0), ('grpc.use_local_subchannel_pool', 1),
    ('grpc.max_receive_message_length', 512 << 20), ('grpc.max_metadata_size', 256 << 10),
    # A control that was restarted is back within a second.
    ('grpc.initial_reconnect_backoff_ms', 100), ('grpc.min_reconnect_backoff_ms', 1000),
    ('grpc.max_reconnect_backoff_ms', 2000),
    ('grpc.keepalive_time_ms', 30_000), ('grpc.keepalive_timeout_ms', 20_000)]


class Shell:
    """`grpc` is the module of its kind, `stream` what makes a stream of a call."""

    grpc: Any
    stream: Any

    def __init__(self, address: str, credentials: Any, metadata: Any) -> None:
        self.address, self.credentials, self.metadata = address, credentials, metadata

    @functools.cached_property
    def channel(self) -> Any:
        """Made by the first call: that of asyncio belongs to the loop that runs then."""
        if self.credentials:
            return self.grpc.secure_channel(self.address, self.credentials, OPTIONS)
        return self.grpc.insecure_channel(self.address, OPTIONS)

    def call(self, kind: str, method: str, messages: Any, timeout: Optional[float]) -> Any:
        """Begins a call of this kind (unary_unary); what it returns is the module's."""
        which = _values.METHODS[method]
        call = getattr(self.channel, kind)(
            f'/grove.v1.{which.containing_service.name}/{method}',
            which.input_type._concrete_class.SerializeToString,
            which.output_type._concrete_class.FromString)
        return call(messages, timeout=timeout, metadata=self.metadata)

    def open(self, method: str, timeout: Optional[float]) -> Any:
        """A stream of either direction, whose messages are written to it."""
        return self.stream(lambda messages: self.call('stream_stream', method, messages, timeout))
