"""All parameters of the localizer, in small typed blocks; ROS parameters carry the same names.

A field's description and bounds are also those of the ROS parameter that the node declares for it
(`retrieval.keyframes` for `LocalizerConfiguration.retrieval.keyframes`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dense_reloc_ros.errors import ConfigurationError


class Block(BaseModel):
    """A frozen group of parameters that refuses unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RetrievalConfiguration(Block):
    """Which keyframes may be seen in the query."""

    keyframes: int = Field(10, ge=1, le=200, description="Keyframes retrieved for a query")
    clusters: int = Field(
        2, ge=1, le=20, description="Co-visibility clusters localized one by one at most"
    )


class LocalizerConfiguration(Block):
    """The parameters of one localizer; all of them can change between two frames."""

    retrieval: RetrievalConfiguration = RetrievalConfiguration()


def configuration_from_mapping(values: dict[str, Any]) -> LocalizerConfiguration:
    """The configuration of nested plain values.

    Raises:
        ConfigurationError: an unknown name, a wrong type or a value out of range; names it.
    """
    try:
        return LocalizerConfiguration.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"parameter '{name}': {first['msg']}") from None


def load_configuration(path: Path) -> LocalizerConfiguration:
    """The configuration in a YAML file.

    Raises:
        ConfigurationError: a file that cannot be read or is not valid; names the file.
    """
    try:
        values = yaml.safe_load(path.read_text()) or {}
        return configuration_from_mapping(values)
    except (OSError, yaml.YAMLError, ConfigurationError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
