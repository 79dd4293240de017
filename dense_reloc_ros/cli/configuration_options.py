"""The options that set parameters of the localizer: a file, and single values over it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dense_reloc_ros.configuration import LocalizerConfiguration
    from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Adds --config and --set."""
    parser.add_argument("--config", type=Path, metavar="YAML", help="parameters of the localizer")
    add_settings(parser, "the localizer")


def add_settings(parser: argparse.ArgumentParser, owner: str) -> None:
    """Adds --set."""
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"one parameter of {owner}, as retrieval.keyframes=8; repeat it for others",
    )


def localizer_configuration(arguments: argparse.Namespace) -> LocalizerConfiguration:
    """The parameters in the file of --config, or else the default ones, with those of --set.

    Raises:
        ConfigurationError: a file, a name or a value that cannot be used.
    """
    from dense_reloc_ros.configuration import LocalizerConfiguration, load_configuration
    from dense_reloc_ros.parameter_blocks import with_settings

    configuration = (
        load_configuration(arguments.config) if arguments.config else LocalizerConfiguration()
    )
    own = [setting for setting in arguments.settings if not _is_of_fusion(setting)]
    return with_settings(configuration, own)


def fusion_configuration(arguments: argparse.Namespace) -> TemporalConfiguration:
    """The parameters of the fusion with those of --set.

    Raises:
        ConfigurationError: a value that cannot be used.
    """
    from dense_reloc_ros.parameter_blocks import with_settings
    from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

    own = [setting for setting in arguments.settings if _is_of_fusion(setting)]
    return with_settings(TemporalConfiguration(), own)


def _is_of_fusion(setting: str) -> bool:
    from dense_reloc_ros.parameter_blocks import fields
    from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

    return setting.partition("=")[0].strip() in dict(fields(TemporalConfiguration))
