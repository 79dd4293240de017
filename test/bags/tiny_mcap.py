"""mcap files written record by record, as the format's specification has them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"\x89MCAP0\r\n"


@dataclass(frozen=True)
class Topic:
    """A channel with its schema and messages, (time, data)."""

    name: str
    schema: str
    schema_encoding: str
    schema_data: bytes
    encoding: str
    messages: tuple[tuple[int, bytes], ...]


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<I", len(data)) + data


def record(opcode: int, content: bytes) -> bytes:
    return bytes([opcode]) + struct.pack("<Q", len(content)) + content


def mcap(topics: list[Topic], profile: str = "ros2", indexed: bool = True) -> bytes:
    """The content of a file; `indexed` repeats schemas and channels behind the messages."""
    described = b""
    for number, topic in enumerate(topics, start=1):
        schema = text(topic.schema) + text(topic.schema_encoding) + text(topic.schema_data)
        described += record(3, struct.pack("<H", number) + schema)
        channel = text(topic.name) + text(topic.encoding) + text(b"")
        described += record(4, struct.pack("<HH", number, number) + channel)
    times, counts, messages = [], {}, b""
    for number, topic in enumerate(topics, start=1):
        for index, (time, data) in enumerate(topic.messages):
            messages += record(5, struct.pack("<HIQQ", number, index, time, time) + data)
            times.append(time)
            counts[number] = index + 1
    body = record(1, text(profile) + text("by hand")) + described + messages
    body += record(15, struct.pack("<I", 0))
    summary_start = len(MAGIC) + len(body) if indexed else 0
    if indexed:
        channels = b"".join(struct.pack("<HQ", *item) for item in counts.items())
        statistics = struct.pack(
            "<QHIIIIQQ", len(times), len(topics), len(topics), 0, 0, 0, min(times), max(times)
        )
        body += described + record(11, statistics + text(channels))
    return MAGIC + body + record(2, struct.pack("<QQI", summary_start, 0, 0)) + MAGIC
