"""The lifecycle node `relocalizer`: where a robot is in a preloaded map, from its camera."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav2_msgs.srv import SetInitialPose
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_srvs.srv import Empty

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.localization_node import LocalizationNode
from dense_reloc_ros.nodes.map_chooser import MapChooser
from dense_reloc_ros.nodes.map_loader import MapLoader, OpenLocalizer
from dense_reloc_ros.nodes.node_configuration import RelocalizerConfiguration
from dense_reloc_ros.nodes.parameters import read_parameters
from dense_reloc_ros.nodes.relocalizer_pipeline import RelocalizerPipeline
from dense_reloc_ros.nodes.running import run_node
from dense_reloc_ros.srv import Relocalize, RelocalizeBatch


class ResultListener(Protocol):
    """Who shares the features of frames, in the same process."""

    def take(self, single: FrameResult) -> None:
        """Takes the result of a frame."""

    def use(self, localizer: Localizer) -> None:
        """Goes on with another map."""


class Relocalizer(LocalizationNode[RelocalizerPipeline]):
    """Parameters, states and services; `RelocalizerPipeline` does the work.

    A map that cannot be loaded fails the transition to inactive, as with Nav2's map server; bad
    images never change the state. `~/load_map` and `~/choose_map` work in every state.
    """

    def __init__(self, open_localizer: OpenLocalizer = open_localizer, **options: Any) -> None:
        models = (RelocalizerConfiguration, LocalizerConfiguration)
        super().__init__("relocalizer", models, **options)
        self._maps = MapLoader(self, open_localizer, self._use)
        MapChooser(self, self._maps)
        self._listener: ResultListener | None = None
        # A group of its own: images and transforms come in while a caller waits for the answer.
        group = MutuallyExclusiveCallbackGroup()
        self.create_service(Relocalize, "~/relocalize", self._on_relocalize, callback_group=group)
        self.create_service(
            RelocalizeBatch,
            "~/relocalize_batch",
            self._on_relocalize_batch,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )

        self.create_subscription(
            PoseWithCovarianceStamped, "initialpose", self._on_initial_pose, 10
        )
        self.create_service(SetInitialPose, "~/set_initial_pose", self._on_set_initial_pose)
        self.create_service(Empty, "~/reinitialize_global_localization", self._on_reinitialize)

    def hand_results_to(self, listener: ResultListener | None) -> None:
        """Also hands each result to somebody in this process, features and all; None: no more."""
        self._listener = listener

    def make_pipeline(self) -> RelocalizerPipeline | None:
        """What localizes in the map; None where the map cannot be loaded."""
        if not self._maps.load():
            return None
        settings = read_parameters(self, RelocalizerConfiguration)
        pipeline = RelocalizerPipeline(
            self,
            self._maps.localizer,
            settings,
            self.transforms,
            self.reporter,
            self.give_up,
            self._hand_on,
        )
        self.apply_parameters(pipeline)
        return pipeline

    def apply_parameters(self, pipeline: RelocalizerPipeline) -> None:
        """Changes the pipeline's settings and those of its localizer."""
        pipeline.reconfigure(
            read_parameters(self, RelocalizerConfiguration),
            read_parameters(self, LocalizerConfiguration),
        )

    @property
    def map_problem(self) -> str:
        """What keeps the node from having a map; empty when nothing does."""
        return self._maps.problem

    def release(self) -> None:
        """Lets go of the map."""
        self._maps.release()

    def _use(self, localizer: Localizer) -> None:
        super()._use(localizer)
        if (listener := self._listener) is not None:
            listener.use(localizer)

    def _hand_on(self, result: FrameResult) -> None:
        if (listener := self._listener) is not None:
            listener.take(result)

    def _on_relocalize(
        self, request: Relocalize.Request, response: Relocalize.Response
    ) -> Relocalize.Response:
        if (pipeline := self.pipeline) is None:
            response.result = RelocResult(
                status=Status.INVALID_INPUT.value, reason="the relocalizer is not configured"
            )
        else:
            response.result = pipeline.relocalize(request)
        return response

    def _on_relocalize_batch(
        self, request: RelocalizeBatch.Request, response: RelocalizeBatch.Response
    ) -> RelocalizeBatch.Response:
        if (pipeline := self.pipeline) is not None:
            return pipeline.relocalize_batch(request)
        response.message = "the relocalizer is not configured"
        return response

    def _on_initial_pose(self, pose: PoseWithCovarianceStamped) -> None:
        if (pipeline := self.pipeline) is not None:
            pipeline.set_initial_pose(pose)
        else:
            self.get_logger().warning("initial pose ignored: the relocalizer is not configured")

    def _on_set_initial_pose(
        self, request: SetInitialPose.Request, response: SetInitialPose.Response
    ) -> SetInitialPose.Response:
        self._on_initial_pose(request.pose)
        return response

    def _on_reinitialize(self, _: Empty.Request, response: Empty.Response) -> Empty.Response:
        if (pipeline := self.pipeline) is not None:
            pipeline.search_anew()
        return response


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; exit status 2 where its parameters make no sense."""
    return run_node(Relocalizer, arguments)


if __name__ == "__main__":
    sys.exit(main())
