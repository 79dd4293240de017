"""Plays a bag into the real nodes and gathers what they publish."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dense_reloc_ros import progress
from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.cameras import (
    CAMERA_INFO_TYPE,
    COMPRESSED_TYPE,
    IMAGE_TYPES,
    camera_info_topic,
    find_image_topic,
    info_topic_beside,
)
from dense_reloc_ros.bags.rectification import is_rectified
from dense_reloc_ros.bags.topics import COMPRESSED_SUFFIX, TF_STATIC_TOPIC, TF_TOPIC
from dense_reloc_ros.errors import InputError, RelocError
from dense_reloc_ros.evaluation.replay.published_results import PublishedResult, read_results
from dense_reloc_ros.evaluation.replay.ros_processes import (
    NodeProcess,
    default_parameter_file,
    isolated_environment,
    require_ros,
)
from dense_reloc_ros.localization.floor import FloorConfiguration
from dense_reloc_ros.parameter_blocks import fields, parsed_settings
from dense_reloc_ros.scene.map_path import local_path
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

RELOCALIZER, FUSION = "relocalizer", "temporal_fusion"
NODE_KEY = "/**/{}"
"""That of config/reloc.yaml: of equal keys the last file's values hold."""
OF_BOTH_NODES = {
    *("base_frame", "odom_frame", "planar"),
    *(f"floor.{name}" for name in FloorConfiguration.model_fields),
}
"""Parameters that must be the same for both."""
NODE_MODULE = "dense_reloc_ros.nodes.relocalizer"
FUSION_MODULE = "dense_reloc_ros.nodes.relocalizer_with_fusion"
PLAYER_MODULE = "dense_reloc_ros.nodes.replay_player"
BAD_INPUT, NODE_FAILED = 2, 3
"""Exit statuses of the player."""
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class ReplayOptions:
    """How a bag is played, and what differs from the node's parameter file."""

    map: Path
    bag: Path
    rate: float | None = 1.0
    """Times the recorded speed; None is lockstep: the next image after the answer to the last."""
    timeout: float = 30.0
    """Seconds after which an image counts as not answered."""
    image_topic: str | None = None
    other_cameras: tuple[str, ...] = ()
    """Topics of images of further cameras, that are localized together with those of the first."""
    rectified: bool | None = None
    """Whether the images are; None is found out, unless a parameter file may say it."""
    parameter_file: Path | None = None
    """None is the launch file's own."""
    settings: tuple[str, ...] = ()
    """NAME=VALUE of parameters that are put over those of the file."""
    method: str | None = None
    device: str | None = None
    weights: Path | None = None
    """Those that the map was built with, where they are not its network's own."""
    fusion: bool = False
    """Whether temporal_fusion runs as well, and what it publishes counts."""


def replay(options: ReplayOptions, log: Path) -> list[PublishedResult]:
    """Runs the nodes, in one process, and the player; gives the answers in the order they came.

    What the nodes said goes to the file `log`.

    Raises:
        InputError: a bag without what the node needs.
        RelocError: no ROS 2, or a node that could not start, or died; says what it said last.
    """
    require_ros()
    with BagReader(options.bag) as bag:
        image_topic = options.image_topic or find_image_topic(bag)
        transport = image_transport(bag.require(image_topic, IMAGE_TYPES))
        info_topic = camera_info_topic(bag, image_topic)
        others = topics_of_others(bag, options.other_cameras, transport)
        image_bytes = len(next(bag.messages([image_topic])).data)
        parameters = node_parameters(options, transport, bag.topics)
        if options.rectified is not None or options.parameter_file is None:
            taken = is_rectified(bag, image_topic, options.rectified)
            parameters[NODE_KEY.format(RELOCALIZER)]["ros__parameters"]["rectified"] = taken
    nodes = [RELOCALIZER, FUSION] if options.fusion else [RELOCALIZER]
    pace = ["--lockstep"] if options.rate is None else ["--rate", str(options.rate)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dense-reloc-")))
        environment = isolated_environment(folder, image_bytes)
        overrides, answers = folder / "overrides.yaml", folder / "answers.jsonl"
        overrides.write_text(yaml.safe_dump(parameters))
        files = [options.parameter_file or default_parameter_file(), overrides]
        image_base = image_topic.removesuffix(COMPRESSED_SUFFIX)
        node_arguments = [
            "--ros-args",
            *(word for file in files for word in ("--params-file", str(file))),
            *("-r", f"image:={image_base}", "-r", f"camera_info:={info_topic}"),
        ]
        module = FUSION_MODULE if options.fusion else NODE_MODULE
        node = stack.enter_context(NodeProcess(module, node_arguments, environment, log))
        player_arguments = [str(options.bag), image_topic, info_topic, str(answers), *pace]
        player_arguments += ["--others", *others] if others else []
        player_arguments += ["--timeout", str(options.timeout), "--nodes", *nodes]
        if not progress.logger.isEnabledFor(logging.INFO):
            player_arguments.append("--quiet")
        _play(player_arguments, environment, node)
        return read_results(answers)


def image_transport(type_name: str) -> str:
    """The node's `image_transport` for images of a message type."""
    return "compressed" if type_name == COMPRESSED_TYPE else "raw"


def topics_of_others(bag: BagReader, image_topics: Sequence[str], transport: str) -> list[str]:
    """Topics of images of further cameras, and of the camera_info that lies beside each.

    Raises:
        InputError: images or camera_info that are not in the bag, or images of another transport
            than the main camera's.
    """
    topics = []
    for topic in image_topics:
        if image_transport(bag.require(topic, IMAGE_TYPES)) != transport:
            raise InputError(f"{bag.path}: {topic}: images of all cameras must be {transport} ones")
        info_topic = info_topic_beside(topic.removesuffix(COMPRESSED_SUFFIX))
        bag.require(info_topic, [CAMERA_INFO_TYPE])
        topics += [topic, info_topic]
    return topics


def node_parameters(
    options: ReplayOptions, transport: str, topics: Collection[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """The parameters of the nodes that follow from the bag and the options, as in a file of them.

    A bag without odometry or without the camera's mount has no frames to relate the pose to.
    """
    frames: dict[str, Any] = {"mode": "continuous"}
    if TF_TOPIC not in topics:
        frames["odom_frame"] = ""
    if TF_STATIC_TOPIC not in topics:
        frames["base_frame"] = ""
    parameters = {
        "map": str(local_path(options.map).resolve()),
        "image_transport": transport,
        # Every image counts, and results must not depend on how busy the computer is.
        "max_rate": 0.0,
        "max_frame_seconds": 0.0,
        **frames,
    }
    if options.other_cameras:
        names = [topic.removesuffix(COMPRESSED_SUFFIX) for topic in options.other_cameras]
        parameters["other_cameras"] = names
    if options.method is not None:
        parameters["method"] = options.method
    if options.device is not None:
        parameters["device"] = options.device
    if options.weights is not None:
        parameters["features"] = {"weights": str(options.weights.expanduser().resolve())}
    of_fusion = dict(frames)
    names_of_fusion = dict(fields(TemporalConfiguration))
    for name, value in parsed_settings(options.settings):
        if name in names_of_fusion or name in OF_BOTH_NODES:
            of_fusion[name] = value
        if name not in names_of_fusion:
            parameters[name] = value
    return {
        NODE_KEY.format(node): {"ros__parameters": values}
        for node, values in ((RELOCALIZER, parameters), (FUSION, of_fusion))
        if values
    }


def _play(arguments: Sequence[str], environment: dict[str, str], node: NodeProcess) -> None:
    """Runs the player, which shows its progress, until it is done or the node died."""
    command = [sys.executable, "-m", PLAYER_MODULE, *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as player:
        try:
            while player.poll() is None and node.status is None:
                try:
                    player.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
            if node.status is not None:
                raise RelocError(
                    f"the node ended with status {node.status}; it said last:\n{node.last_lines()}"
                )
            said = player.stdout.read().strip() if player.stdout else ""
            if player.returncode == BAD_INPUT:
                raise InputError(said)
            if player.returncode != 0:
                said = said or f"the player ended with status {player.returncode}"
                raise RelocError(f"{said}; the node said last:\n{node.last_lines()}")
        finally:
            player.terminate()
