"""Cuts a bag into what is sent to a node before it is to answer."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dense_reloc_ros.bags.bag_reader import BagMessage, BagReader, stamp_of
from dense_reloc_ros.bags.cameras import COMPRESSED_TYPE
from dense_reloc_ros.bags.topics import COMPRESSED_SUFFIX, TF_STATIC_TOPIC, TF_TOPIC
from dense_reloc_ros.stamps import NANOSECONDS, stamp_or


@dataclass(frozen=True)
class Step:
    """An image, and what was recorded with it: everything up to the next image goes out first.

    So the odometry reaches a little beyond the image, as it does on a robot while it is worked on.
    """

    image: BagMessage
    stamp: int
    """Of the image's header, nanoseconds."""
    others: tuple[BagMessage, ...]


def steps(
    bag: BagReader, image_topic: str, info_topic: str, others: Sequence[str] = ()
) -> Iterator[Step]:
    """The images of a bag in the order they were recorded, each with what came until the next.

    `others` are topics of further cameras, images and camera_info. Images without a stamp get the
    time of their recording: answers are told apart by stamps.
    """
    image: BagMessage | None = None
    before: list[BagMessage] = []
    for message in bag.messages([image_topic, info_topic, *others, TF_TOPIC, TF_STATIC_TOPIC]):
        if message.topic != image_topic:
            before.append(message)
            continue
        if image is not None:
            yield _step(bag, image, before)
            before = []
        image = message
    if image is not None:
        yield _step(bag, image, before)


def _step(bag: BagReader, image: BagMessage, others: Sequence[BagMessage]) -> Step:
    found = stamp_of(bag.decode(image))
    stamp = stamp_or(found, image.time)
    if stamp != found:
        image = replace(image, data=with_stamp(image.data, stamp))
    return Step(image, stamp, tuple(others))


def with_stamp(data: bytes, stamp: int) -> bytes:
    """The bytes (CDR) of a message that begins with a header, with another stamp in it."""
    order = "<" if data[1] & 1 else ">"
    # Four bytes say how it is encoded; seconds and nanoseconds come first in a header.
    return data[:4] + struct.pack(order + "iI", *divmod(stamp, NANOSECONDS)) + data[12:]


def played_topic(topic: str, kind: str) -> str:
    """Where a bag's topic is played to: nodes take compressed images from `.../compressed` only."""
    if kind == COMPRESSED_TYPE:
        return topic.removesuffix(COMPRESSED_SUFFIX) + COMPRESSED_SUFFIX
    return topic
