"""The map of a node: opened when the node is configured, exchanged by ~/load_map."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import MapError, RelocError
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.nodes.localization_node import LocalizationNode
from dense_reloc_ros.nodes.node_configuration import MapConfiguration
from dense_reloc_ros.nodes.parameters import read_parameters
from dense_reloc_ros.processors import limit_threads
from dense_reloc_ros.srv import LoadMap

OpenLocalizer = Callable[[Path, LocalizerConfiguration, str | None, str], Localizer]


class MapLoader:
    """Opens localizers for maps, with the parameters that its node has; keeps the last one.

    `on_loaded` is called with each one that ~/load_map brings, between two transitions of the node.
    """

    def __init__(
        self,
        node: LocalizationNode[Any],
        open_localizer: OpenLocalizer,
        on_loaded: Callable[[Localizer], None],
    ) -> None:
        self.localizer: Localizer | None = None
        self.problem = ""
        """Why there is none, or not the one that was asked for."""
        self._node = node
        self._open_localizer = open_localizer
        self._on_loaded = on_loaded
        # A group of its own: everything else goes on while a map is read.
        self.group = MutuallyExclusiveCallbackGroup()
        """Of the services that exchange the map: one at a time."""
        node.create_service(LoadMap, "~/load_map", self._on_load_map, callback_group=self.group)

    def load(self) -> bool:
        """Opens the map that the parameter names, unless there is one; False where it is broken."""
        path = read_parameters(self._node, MapConfiguration).map
        if self.localizer is None and path:
            try:
                self.localizer = self.open(path)
            except RelocError as error:
                self.problem = str(error)
                self._node.get_logger().error(f"{error}; call ~/load_map or configure again")
                return False
        if self.localizer is None:
            self.problem = "no map: set the parameter 'map' or call ~/load_map"
            self._node.get_logger().warning(self.problem)
        return True

    def load_instead(self, path: str | Path) -> None:
        """Opens a map and goes on with it; the one in use stays where that fails.

        Raises:
            MapError: the map cannot be opened, or the node was shut down.
        """
        self.refuse_when_finalized()
        localizer = self.open(path)
        with self._node.transitions:
            self.refuse_when_finalized()
            self.localizer, self.problem = localizer, ""
            self._on_loaded(localizer)

    def release(self) -> None:
        """Lets go of the map."""
        self.localizer, self.problem = None, ""

    @property
    def revision(self) -> str:
        """Of the map in use; empty where there is none."""
        return "" if self.localizer is None else self.localizer.scene_map.information.revision

    def open(self, path: str | Path) -> Localizer:
        """Opens the localizer for a map; raises RelocError whatever goes wrong."""
        settings = read_parameters(self._node, MapConfiguration)
        configuration = read_parameters(self._node, LocalizerConfiguration)
        if settings.threads:
            limit_threads(settings.threads)
        try:
            localizer = self._open_localizer(
                Path(path), configuration, settings.method or None, settings.device
            )
        except RelocError:
            raise
        except Exception as error:  # out of memory, a library that is missing: the node stays up
            self._node.get_logger().error(traceback.format_exc())
            raise MapError(f"{path}: {error}") from error
        scene_map = localizer.scene_map
        self._node.get_logger().info(
            f"map {scene_map.information.revision} with {scene_map.keyframe_count} keyframes, "
            f"method {localizer.method}"
        )
        return localizer

    def _on_load_map(
        self, request: LoadMap.Request, response: LoadMap.Response
    ) -> LoadMap.Response:
        try:
            self.load_instead(request.map_path)
        except RelocError as error:
            response.message = str(error)
            self._node.get_logger().error(response.message)
        else:
            response.success = True
        response.map_revision = self.revision
        return response

    def refuse_when_finalized(self) -> None:
        """Raises MapError where the node was shut down."""
        if self._node.state == "finalized":
            raise MapError("the node was shut down: start it again to load a map")
