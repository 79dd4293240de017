"""The options that the `bench` commands share, and what they open."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.query_source import add_query_options

if TYPE_CHECKING:
    from dense_reloc_ros.configuration import LocalizerConfiguration
    from dense_reloc_ros.evaluation.benchmarks.contenders import Contender
    from dense_reloc_ros.mapping.sources.source_frame import SourceFrame


@dataclass(frozen=True)
class Bench:
    """What is compared, and on what."""

    contenders: list[Contender]
    configuration: LocalizerConfiguration
    """Of all contenders."""
    frames: list[SourceFrame]
    """With their true poses, where these are known."""
    queries: str
    """Where the frames come from, for people."""


def add_bench_options(
    parser: argparse.ArgumentParser, methods: Sequence[str] | None = None
) -> None:
    """Adds the options of every `bench` command; `methods` are compared by default."""
    parser.add_argument(
        "--map",
        dest="maps",
        type=Path,
        action="append",
        required=True,
        metavar="MAP",
        help="folder of a map; repeat it for methods that need another kind, or to compare maps",
    )
    add_query_options(parser)
    parser.add_argument(
        "--every", type=positive, default=1, metavar="N", help="take every Nth frame"
    )
    default = " ".join(methods) if methods else "each map's own"
    parser.add_argument(
        "--methods",
        nargs="+",
        default=methods,
        metavar="M",
        help=f"what to compare, each on the maps made for its kind (default: {default})",
    )
    parser.add_argument("--config", type=Path, metavar="YAML", help="parameters of the localizer")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the numbers as JSON")


def add_accuracy_options(
    parser: argparse.ArgumentParser, levels: Sequence[str], *others: str
) -> None:
    """Adds the options of commands that compare poses, by default at some levels of light.

    `others` are levels that the command has besides the usual ones.
    """
    parser.add_argument(
        "--ground-truth",
        type=Path,
        metavar="TUM",
        help="true camera poses to compare with; those beside the images, if not given",
    )
    parser.add_argument(
        "--levels",
        nargs="+",
        default=levels,
        metavar="L",
        help=f"of light: {', '.join([*others, 'clean, dim, dark, night, harsh'])} "
        f"(default: {' '.join(levels)})",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")


def add_network_weights(parser: argparse.ArgumentParser) -> None:
    """Adds --weights to commands that compare networks; it gives pairs of a name and a file."""
    parser.add_argument(
        "--weights",
        type=_named_file,
        action="append",
        default=[],
        metavar="NETWORK=FILE",
        help="weights of a network, where these are not its own; repeat it for others",
    )


@contextmanager
def open_bench(arguments: argparse.Namespace, devices: Sequence[str]) -> Iterator[Bench]:
    """Opens what the options name, on each device; frames can be loaded until the context ends.

    Raises:
        ConfigurationError: methods, devices or parameters that are unknown or do not fit.
        MapError: a map that cannot be used.
        InputError: frames, intrinsics or poses that are missing or cannot be used.
    """
    from dense_reloc_ros.cli.query_source import open_queries
    from dense_reloc_ros.configuration import LocalizerConfiguration, load_configuration
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.contenders import open_contenders

    configuration = (
        load_configuration(arguments.config) if arguments.config else LocalizerConfiguration()
    )
    with open_queries(arguments) as frames:
        yield Bench(
            contenders=[
                contender
                for device in map(find_device, devices)
                for contender in open_contenders(
                    arguments.maps, arguments.methods, configuration, device
                )
            ],
            configuration=configuration,
            frames=with_truth(frames[:: arguments.every], arguments.ground_truth),
            queries=str(arguments.seven_scenes or arguments.bag or arguments.images),
        )


def with_truth(frames: list[SourceFrame], file: Path | None) -> list[SourceFrame]:
    """The frames with the poses in a TUM file, or as they are."""
    from dense_reloc_ros.geometry.trajectory import read_tum
    from dense_reloc_ros.stamps import NANOSECONDS

    if file is None:
        return frames
    truth = read_tum(file)
    stamps = [round(frame.timestamp * NANOSECONDS) for frame in frames]
    return [
        replace(frame, T_map_camera=truth.at(stamp))
        for frame, stamp in zip(frames, stamps, strict=True)
    ]


def positive(text: str) -> int:
    """A number above zero, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _named_file(text: str) -> tuple[str, Path]:
    network, separator, path = text.partition("=")
    if not (network and separator and path):
        raise argparse.ArgumentTypeError(f"{text} is not NETWORK=FILE")
    return network, Path(path)
