"""The lifecycle node `temporal_fusion`: where a robot is, from its relocalizer's frames together.

Beside the relocalizer in one process (`relocalizer_with_fusion`) it takes its results as they are;
in a process of its own from the topic `relocalizer/localized_frame`, and opens the map itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.nodes.frame_fuser import MakeFusion
from dense_reloc_ros.nodes.fusion_pipeline import FusionPipeline
from dense_reloc_ros.nodes.localization_node import LocalizationNode
from dense_reloc_ros.nodes.localized_frame_input import LocalizedFrameInput
from dense_reloc_ros.nodes.map_loader import MapLoader, OpenLocalizer
from dense_reloc_ros.nodes.node_configuration import FusionConfiguration, MapConfiguration
from dense_reloc_ros.nodes.parameters import read_parameters
from dense_reloc_ros.nodes.relocalizer import Relocalizer
from dense_reloc_ros.nodes.running import run_node
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

MODELS: tuple[type[Block], ...] = (FusionConfiguration, TemporalConfiguration)
"""Its parameters; in a process of its own also those of the map and of the localizer."""


class TemporalFusion(LocalizationNode[FusionPipeline]):
    """Parameters and states; `FusionPipeline` does the work.

    With a `relocalizer` it listens to that one, and uses its map.
    """

    def __init__(
        self,
        relocalizer: Relocalizer | None = None,
        open_localizer: OpenLocalizer = open_localizer,
        make_fusion: MakeFusion = TemporalLocalizer,
        **options: Any,
    ) -> None:
        own_map = () if relocalizer is not None else (MapConfiguration, LocalizerConfiguration)
        super().__init__("temporal_fusion", (*MODELS, *own_map), **options)
        if relocalizer is not None:
            self.transforms = relocalizer.transforms
        self._relocalizer = relocalizer
        self._maps = None if relocalizer else MapLoader(self, open_localizer, self._use)
        self._input: LocalizedFrameInput | None = None
        self._make_fusion = make_fusion

    def make_pipeline(self) -> FusionPipeline | None:
        """What fuses; None where the node's own map cannot be loaded."""
        if self._maps is not None and not self._maps.load():
            return None
        pipeline = FusionPipeline(
            self,
            read_parameters(self, FusionConfiguration),
            read_parameters(self, TemporalConfiguration),
            self.transforms,
            self.reporter,
            self.give_up,
            self._make_fusion,
        )
        if self._relocalizer is not None:
            self._relocalizer.hand_results_to(pipeline)
        else:
            self._input = LocalizedFrameInput(
                self, self._localizer, pipeline.take, pipeline.fuser.forget, self.reporter
            )
        return pipeline

    def apply_parameters(self, pipeline: FusionPipeline) -> None:
        """Changes the pipeline's settings, and those of the node's own localizer."""
        pipeline.reconfigure(
            read_parameters(self, FusionConfiguration),
            read_parameters(self, TemporalConfiguration),
        )
        if (localizer := self._localizer()) is not None:
            localizer.configuration = read_parameters(self, LocalizerConfiguration)

    @property
    def map_problem(self) -> str:
        """What keeps the node from having a map of its own; empty when nothing does."""
        return "" if self._maps is None else self._maps.problem

    def look_everywhere(self, reason: str) -> None:
        """Of the relocalizer beside it, too; one in another process is to be asked by itself."""
        super().look_everywhere(reason)
        if self._relocalizer is not None and (pipeline := self._relocalizer.pipeline) is not None:
            pipeline.search_anew()

    def release(self) -> None:
        """Stops listening, and lets go of the map."""
        if self._relocalizer is not None:
            self._relocalizer.hand_results_to(None)
        if self._input is not None:
            self._input.close()
            self._input = None
        if self._maps is not None:
            self._maps.release()

    def _localizer(self) -> Localizer | None:
        return None if self._maps is None else self._maps.localizer


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; exit status 2 where its parameters make no sense."""
    return run_node(TemporalFusion, arguments)


if __name__ == "__main__":
    sys.exit(main())
