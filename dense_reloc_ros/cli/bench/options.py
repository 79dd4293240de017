"""The options that the `bench` commands share, and what they open."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.configuration_options import add_configuration, localizer_configuration
from dense_reloc_ros.cli.query_source import add_query_options

if TYPE_CHECKING:
    from dense_reloc_ros.configuration import LocalizerConfiguration
    from dense_reloc_ros.evaluation.benchmarks.runner import QuerySet
    from dense_reloc_ros.evaluation.benchmarks.systems import System
    from dense_reloc_ros.mapping.sources.source_frame import SourceFrame


@dataclass(frozen=True)
class Bench:
    """What is compared, and on what."""

    systems: list[System]
    configuration: LocalizerConfiguration
    """Of all systems."""
    queries: QuerySet
    """With their true poses, where these are known."""


def add_bench_options(
    parser: argparse.ArgumentParser, methods: Sequence[str] | None = None
) -> None:
    """Adds the options of the commands that compare maps; `methods` are compared by default."""
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
    add_names(
        parser,
        "--methods",
        methods,
        "what to compare, each on the maps made for its kind",
        "each map's own",
    )
    add_run_options(parser)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Adds --every, --config, --set and --output, which all commands on queries have."""
    parser.add_argument(
        "--every", type=positive, default=1, metavar="N", help="take every Nth query"
    )
    add_configuration(parser)
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the numbers")


def add_names(
    parser: argparse.ArgumentParser,
    option: str,
    default: Sequence[str] | None,
    help_text: str,
    otherwise: str = "",
) -> None:
    """Adds an option with one or more names, and says what is taken without it."""
    shown = " ".join(default) if default else otherwise
    parser.add_argument(
        option, nargs="+", default=default, metavar="N", help=f"{help_text} (default: {shown})"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Adds --device."""
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")


def add_degradations(parser: argparse.ArgumentParser, default: Sequence[str], *others: str) -> None:
    """Adds --degradations, also called --levels; `others` are more than the usual ones."""
    known = ", ".join([*others, "clean, dim, dark, night, harsh, roll, zoom"])
    parser.add_argument(
        "--degradations",
        "--levels",
        dest="degradations",
        nargs="+",
        default=default,
        metavar="D",
        help=f"of the queries: {known}, one angle or factor (roll30, zoom0.5), or several at once "
        f"(roll+night); default: {' '.join(default)}",
    )


def add_accuracy_options(
    parser: argparse.ArgumentParser, degradations: Sequence[str], *others: str
) -> None:
    """Adds the options of commands that compare poses."""
    parser.add_argument(
        "--ground-truth",
        type=Path,
        metavar="TUM",
        help="true camera poses to compare with; those beside the images, if not given",
    )
    add_degradations(parser, degradations, *others)
    add_device(parser)


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
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.runner import QuerySet
    from dense_reloc_ros.evaluation.benchmarks.systems import open_systems

    configuration = localizer_configuration(arguments)
    with open_queries(arguments) as frames:
        yield Bench(
            systems=[
                system
                for device in map(find_device, devices)
                for system in open_systems(arguments.maps, arguments.methods, configuration, device)
            ],
            configuration=configuration,
            queries=QuerySet(
                str(arguments.seven_scenes or arguments.bag or arguments.images),
                with_truth(frames[:: arguments.every], arguments.ground_truth),
            ),
        )


def with_truth(frames: list[SourceFrame], file: Path | None) -> list[SourceFrame]:
    """The frames with the poses in a TUM file, or as they are."""
    from dense_reloc_ros.geometry.trajectory import read_tum

    if file is None:
        return frames
    truth = read_tum(file)
    return [replace(frame, T_map_camera=truth.at(frame.stamp)) for frame in frames]


def add_kept_maps(parser: argparse.ArgumentParser) -> None:
    """Where the maps that a benchmark builds are kept."""
    parser.add_argument(
        "--maps",
        type=Path,
        metavar="DIR",
        help="folder that keeps the maps for the next time (default: maps in --output)",
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="build the maps again; without it, a change of the code is not noticed",
    )


def positive(text: str) -> int:
    """A number above zero, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def count(text: str) -> int:
    """A number that is not negative, for argparse."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _named_file(text: str) -> tuple[str, Path]:
    network, separator, path = text.partition("=")
    if not (network and separator and path):
        raise argparse.ArgumentTypeError(f"{text} is not NETWORK=FILE")
    return network, Path(path)
