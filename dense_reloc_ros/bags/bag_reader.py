"""Opens rosbag2 recordings (mcap or sqlite3); errors say what is there instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection
from rosbags.typesys import Stores, get_typestore

from dense_reloc_ros.bags.storage import is_cdr, storage_readers
from dense_reloc_ros.errors import InputError, family
from dense_reloc_ros.sieve import Sieve
from dense_reloc_ros.stamps import NANOSECONDS


@dataclass(frozen=True)
class BagMessage:
    """One recorded message as it was sent."""

    topic: str
    type_name: str
    time: int
    """When it was recorded, nanoseconds."""
    data: bytes
    """CDR."""


class BagReader:
    """A rosbag2 folder, or a single .mcap or .db3 file, open for reading.

    Raises:
        InputError: a path that is no bag, or a damaged one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> BagReader:
        if self.path.suffix == ".bag":
            raise InputError(f"{self.path}: a ROS 1 bag; make a rosbag2 of it by rosbags-convert")
        if not self.path.exists():
            raise InputError(f"{self.path}: no such bag")
        # Older sqlite3 bags do not hold the definitions of their messages.
        typestore = get_typestore(Stores.ROS2_JAZZY)
        with self._damage_reported():
            readers = storage_readers(self.path)
            self._reader = AnyReader([readers[0].path], default_typestore=typestore)
            self._reader.readers = readers
            self._reader.open()
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.close()

    @property
    def topics(self) -> dict[str, str]:
        """The type of each topic that has messages, such as sensor_msgs/msg/Image."""
        return {
            connection.topic: connection.msgtype
            for connection in sorted(self._reader.connections, key=lambda c: c.topic)
            if connection.msgcount and is_cdr(connection)
        }

    def count(self, topics: Sequence[str]) -> int:
        """How many messages there are on some topics."""
        return sum(connection.msgcount for connection in self._connections(topics))

    def require(self, topic: str, type_names: Sequence[str]) -> str:
        """The type of a topic, which must be one of `type_names`.

        Raises:
            InputError: a topic that is not there or has another type; lists those that fit.
        """
        type_name = self.topics.get(topic)
        if type_name is not None and type_name in type_names:
            return type_name
        problem = "has no messages" if type_name is None else f"holds {type_name}"
        fitting = [f"{name} ({kind})" for name, kind in self.topics.items() if kind in type_names]
        others = [f"{name} ({kind})" for name, kind in self.topics.items()]
        there = (
            f"topics that fit: {', '.join(fitting)}"
            if fitting
            else f"no topic holds {' or '.join(type_names)}; "
            f"there are: {', '.join(others) or 'none'}"
        )
        raise InputError(f"{self.path}: topic {topic} {problem}; {there}")

    def messages(
        self, topics: Sequence[str], start: int | None = None, stop: int | None = None
    ) -> Iterator[BagMessage]:
        """Messages of some topics in the order they were recorded, from `start` to before `stop`.

        Raises:
            InputError: a damaged bag.
        """
        connections = self._connections(topics)
        if not connections:
            return
        with self._damage_reported():
            for connection, time, data in self._reader.messages(connections, start, stop):
                yield BagMessage(connection.topic, connection.msgtype, time, data)

    def decode(self, message: BagMessage) -> Any:
        """The message as an object with the fields of its definition.

        Raises:
            InputError: a damaged message.
        """
        with self._damage_reported():
            return self._reader.deserialize(message.data, message.type_name)

    def decoded(self, topics: Sequence[str]) -> Iterator[tuple[BagMessage, Any]]:
        """Messages of some topics and what `decode` makes of them, in the order of recording.

        Damaged ones are left out with a warning.

        Raises:
            InputError: a damaged bag, or half of the messages or more that are damaged.
        """
        sieve = Sieve(f"{self.path}: {', '.join(topics)}", "messages")
        for message in self.messages(topics):
            where = f"{message.topic} at {message.time / 1e9:.3f} s"
            decoded = sieve.take(where, partial(self.decode, message))
            if decoded is not None:
                yield message, decoded
        sieve.close()

    def first(self, topic: str) -> Any:
        """The first message of a topic that can be decoded.

        Raises:
            InputError: none can.
        """
        for _, decoded in self.decoded([topic]):
            return decoded
        raise InputError(f"{self.path}: topic {topic} has no messages")

    def _connections(self, topics: Sequence[str]) -> list[Connection]:
        return [
            c for c in self._reader.connections if c.topic in topics and c.msgcount and is_cdr(c)
        ]

    def _damage_reported(self) -> AbstractContextManager[None]:
        return family(
            lambda reason: InputError(
                f"{self.path}: not a readable rosbag2: {reason}{_remedy(self.path)}"
            )
        )


def _remedy(path: Path) -> str:
    """What saves most of a damaged bag, by the kind of its files."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    suffixes = {file.suffix for file in files}
    folder = path if path.is_dir() else path.parent
    if {".zstd", ".zst"} & suffixes:
        return "; copy the compressed files again, or `zstd -d` what is whole"
    if ".mcap" in suffixes:
        file = next(file for file in files if file.suffix == ".mcap")
        return f"; try `mcap recover {file} -o recovered.mcap`"
    if ".db3" in suffixes:
        file = next(file for file in files if file.suffix == ".db3")
        return (
            f"; try `sqlite3 {file} .recover | sqlite3 recovered.db3`, `ros2 bag reindex {folder}`"
        )
    return ""


def stamp_of(decoded: Any) -> int:
    """The header's stamp of a decoded message in nanoseconds."""
    stamp = decoded.header.stamp
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)
