"""Opens the storage of bags with more patience than rosbags has by itself."""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, cast

from rosbags.interfaces import Connection
from rosbags.rosbag2.reader import DirectoryReader, Reader
from rosbags.rosbag2.storage_mcap import McapReader, Schema
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

logger = logging.getLogger(__name__)

METADATA_FILE = "metadata.yaml"
STORAGE_SUFFIXES = (".mcap", ".db3")
READABLE_SCHEMAS = ("ros2msg", "ros2idl", "omgidl", "")
MAGIC = b"\x89MCAP0\r\n"
HEADER = b"\x01"
"""Opcode of the record after the magic."""
ROS_PROFILE = b"ros2"


def storage_readers(path: Path) -> list[Reader]:
    """What reads a bag: its folder as a whole or, where its metadata do not serve, each file in it.

    Metadata are missing where a recording was killed, and rosbags refuses a folder in which any
    topic is not CDR.
    """
    if not path.is_dir():
        return [PatientReader(path)]
    files = sorted(file for file in path.iterdir() if file.suffix in STORAGE_SUFFIXES)
    if not (path / METADATA_FILE).exists() and files:
        logger.warning("%s: %s is missing; all files in it are read", path, METADATA_FILE)
    elif not files or not _has_other_formats(path / METADATA_FILE):
        return [PatientReader(path)]
    return [PatientReader(file) for file in files]


def is_cdr(connection: Connection) -> bool:
    """Whether the messages of a connection are serialized as ROS 2 does; others are not read."""
    return str(getattr(connection.ext, "serialization_format", "cdr")) in ("cdr", "")


def _has_other_formats(metadata: Path) -> bool:
    lines = metadata.read_text(encoding="utf-8", errors="replace").splitlines()
    formats = [line.split(":", 1)[1].strip(" '\"") for line in lines if _FORMAT in line]
    return any(name != "cdr" for name in formats)


_FORMAT = "serialization_format:"


class _ReadableSchemas(dict[int, Schema]):
    """The schemas of an mcap file, without content where they are not those of ROS messages."""

    def __setitem__(self, key: int, schema: Schema) -> None:
        if schema.encoding not in READABLE_SCHEMAS:
            schema = schema._replace(encoding="", data="")
        super().__setitem__(key, schema)


class _Headed(io.RawIOBase):
    """A file of which the first bytes are read as others, and everything after them as it is."""

    def __init__(self, beginning: bytes, file: BinaryIO) -> None:
        """`file` stands behind the bytes that `beginning` takes the place of."""
        self._beginning = io.BytesIO(beginning)
        self._left = len(beginning)
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            return self._file.read(size)
        begun = self._beginning.read(size)
        self._left -= len(begun)
        return begun

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        self._left = 0
        return self._file.seek(offset, whence)

    def close(self) -> None:
        self._file.close()


class PatientMcapReader(McapReader):
    """Also reads files of no profile, and ignores the topics of other encodings than ROS's."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.schemas = _ReadableSchemas()

    def _open(self) -> None:
        self.bio = _with_profile(cast(BinaryIO, self.bio))
        super()._open()


def _with_profile(file: BinaryIO) -> BinaryIO:
    """The file as it is, or read as if it had the profile of ROS 2 where it has none.

    Writers other than rosbag2 leave it empty; whether the topics can be read shows in them.
    """
    beginning = file.read(len(MAGIC) + 9)
    if beginning[: len(MAGIC) + 1] == MAGIC + HEADER and len(beginning) == len(MAGIC) + 9:
        (size,) = struct.unpack("<Q", beginning[-8:])
        header = file.read(min(size, 1 << 20))
        if header[:4] == bytes(4):
            header = struct.pack("<I", len(ROS_PROFILE)) + ROS_PROFILE + header[4:]
            begun = MAGIC + HEADER + struct.pack("<Q", len(header)) + header
            return cast(BinaryIO, _Headed(begun, file))
    file.seek(0)
    return file


class PatientDirectoryReader(DirectoryReader):
    """A folder whose mcap files are read with patience."""

    STORAGE_PLUGINS: Mapping[str, Any] = MappingProxyType(
        {"mcap": PatientMcapReader, "sqlite3": Sqlite3Reader}
    )


class PatientReader(Reader):
    """A folder or a file of a bag, read with patience."""

    STORAGE_PLUGINS: Mapping[str, Any] = MappingProxyType(
        {"dir": PatientDirectoryReader, ".mcap": PatientMcapReader, ".db3": Sqlite3Reader}
    )
