"""Finds the map that images belong to, and loads it: what ~/choose_map does."""

from __future__ import annotations

from pathlib import Path

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError, MapError, RelocError
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.msg import MapEvidence
from dense_reloc_ros.nodes.batch_localizer import frames_of
from dense_reloc_ros.nodes.frame_view import takes_rectified, view_of
from dense_reloc_ros.nodes.localization_node import LocalizationNode
from dense_reloc_ros.nodes.map_loader import MapLoader
from dense_reloc_ros.nodes.node_configuration import RelocalizerConfiguration
from dense_reloc_ros.nodes.parameters import read_parameters
from dense_reloc_ros.nodes.relocalizer_pipeline import RelocalizerPipeline
from dense_reloc_ros.scene.map_folders import find_maps
from dense_reloc_ros.srv import ChooseMap
from dense_reloc_ros.temporal.belief import Belief
from dense_reloc_ros.temporal.map_choice import Look, MapChoice, choose_map, try_map


class MapChooser:
    """The service ~/choose_map of a node, in the group of those that exchange its map.

    One map is open at a time beside the one in use; that one goes on with images meanwhile.
    """

    def __init__(self, node: LocalizationNode[RelocalizerPipeline], maps: MapLoader) -> None:
        self._node = node
        self._maps = maps
        node.create_service(
            ChooseMap, "~/choose_map", self._on_choose_map, callback_group=maps.group
        )

    def _on_choose_map(
        self, request: ChooseMap.Request, response: ChooseMap.Response
    ) -> ChooseMap.Response:
        log = self._node.get_logger()
        try:
            choice = self._choose(request)
            response.evidence = evidence_of(choice)
            for trial in choice.trials:
                if trial.problem:
                    log.warning(f"choose_map: {trial.problem}")
            if choice.chosen is None:
                raise MapError(choice.reason)
            trial = choice.trials[choice.chosen]
            if trial.revision != self._maps.revision:
                self._maps.load_instead(trial.path)
        except RelocError as error:
            response.message = str(error)
            log.warning(f"choose_map: {response.message}")
        else:
            response.success, response.map_path = True, str(trial.path)
            response.confidence = choice.confidences[choice.chosen]
            log.info(f"choose_map: {trial.path}, confidence {response.confidence:.3f}")
        response.map_revision = self._maps.revision
        return response

    def _choose(self, request: ChooseMap.Request) -> MapChoice:
        """Tries all maps; raises RelocError where there is nothing to try or to try it with."""
        self._maps.refuse_when_finalized()
        settings = read_parameters(self._node, RelocalizerConfiguration)
        configuration = read_parameters(self._node, LocalizerConfiguration)
        folder = request.maps_folder or settings.maps_folder
        if not folder:
            raise ConfigurationError("no folder of maps: set the parameter 'maps_folder'")
        looks = self._looks(request, settings)
        trials = []
        for path in find_maps(Path(folder)):
            self._maps.refuse_when_finalized()
            trials.append(try_map(path, self._open, looks, self._belief))
        return choose_map(trials, configuration.verification.least_confidence)

    def _looks(self, request: ChooseMap.Request, settings: RelocalizerConfiguration) -> list[Look]:
        pipeline = self._node.pipeline
        frames = frames_of(request, None) if pipeline is None else pipeline.frames_for(request)
        rectified = takes_rectified(settings, self._node.resolve_topic_name("image"))
        looks = []
        for frame in frames:
            image, camera, _ = view_of(frame, rectified=rectified)
            odometry = None if pipeline is None else pipeline.odometry_of(frame)
            floor = None if pipeline is None else pipeline.floor_of(frame)
            looks.append(Look(image, camera, frame.stamp, odometry, floor))
        return looks

    def _open(self, path: Path) -> Localizer:
        localizer = self._maps.open(path)
        settings = read_parameters(self._node, RelocalizerConfiguration)
        localizer.max_frame_seconds = settings.max_frame_seconds or None
        return localizer

    def _belief(self) -> Belief:
        settings = read_parameters(self._node, RelocalizerConfiguration)
        return Belief(settings.belief, settings.filter)


def evidence_of(choice: MapChoice) -> list[MapEvidence]:
    """What is answered about each map."""
    return [
        MapEvidence(
            map_path=str(trial.path),
            map_revision=trial.revision,
            problem=trial.problem,
            localized=trial.published,
            confidences=trial.confidences.tolist(),
            confidence=confidence,
        )
        for trial, confidence in zip(choice.trials, choice.confidences, strict=True)
    ]
