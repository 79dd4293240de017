"""Cuts a bag into what is sent to a node before it is to answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dense_reloc_ros.bags.bag_reader import BagMessage, BagReader, stamp_of
from dense_reloc_ros.bags.cameras import COMPRESSED_TYPE
from dense_reloc_ros.bags.topics import COMPRESSED_SUFFIX, TF_STATIC_TOPIC, TF_TOPIC
from dense_reloc_ros.errors import InputError


@dataclass(frozen=True)
class Step:
    """An image, and what was recorded with it: everything up to the next image goes out first.

    So the odometry reaches a little beyond the image, as it does on a robot while it is worked on.
    """

    image: BagMessage
    stamp: int
    """Of the image's header, nanoseconds."""
    others: tuple[BagMessage, ...]


def steps(bag: BagReader, image_topic: str, info_topic: str) -> Iterator[Step]:
    """The images of a bag in the order they were recorded, each with what came until the next.

    Raises:
        InputError: images without stamps, by which answers are told apart.
    """
    image: BagMessage | None = None
    others: list[BagMessage] = []
    for message in bag.messages([image_topic, info_topic, TF_TOPIC, TF_STATIC_TOPIC]):
        if message.topic != image_topic:
            others.append(message)
            continue
        if image is not None:
            yield _step(bag, image, others)
            others = []
        image = message
    if image is not None:
        yield _step(bag, image, others)


def _step(bag: BagReader, image: BagMessage, others: Sequence[BagMessage]) -> Step:
    stamp = stamp_of(bag.decode(image))
    if stamp == 0:
        raise InputError(f"{bag.path}: the images have no stamps, so answers cannot be matched")
    return Step(image, stamp, tuple(others))


def played_topic(topic: str, kind: str) -> str:
    """Where a bag's topic is played to: nodes take compressed images from `.../compressed` only."""
    if kind == COMPRESSED_TYPE:
        return topic.removesuffix(COMPRESSED_SUFFIX) + COMPRESSED_SUFFIX
    return topic
