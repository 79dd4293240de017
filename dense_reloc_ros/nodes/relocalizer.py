"""The lifecycle node `relocalizer`: where a robot is in a preloaded map, from its camera."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import MapError, RelocError
from dense_reloc_ros.localization import Status
from dense_reloc_ros.localizer import Localizer
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.configuration import NEEDS_CONFIGURE, NodeConfiguration
from dense_reloc_ros.nodes.diagnostics import diagnostic_status
from dense_reloc_ros.nodes.parameters import declare_parameters, read_parameters
from dense_reloc_ros.nodes.pipeline import Pipeline
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.running import run_node
from dense_reloc_ros.srv import LoadMap, Relocalize

OpenLocalizer = Callable[[Path, LocalizerConfiguration, str | None, str], Localizer]
Transition = Callable[["Relocalizer", LifecycleState], TransitionCallbackReturn]
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


def logged(transition: Transition) -> Transition:
    """A transition that says what it raised before rclpy turns that into an error without words."""

    @wraps(transition)
    def run(self: Relocalizer, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(self, state)
        except Exception:
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR

    return run


class Relocalizer(LifecycleNode):
    """Parameters, states, services and diagnostics; `Pipeline` does the work.

    A map that cannot be loaded fails the transition to inactive, as with Nav2's map server; bad
    images never change the state. `~/load_map` works in every state.

    Raises:
        rclpy.exceptions.ParameterException: a parameter of a wrong type or out of range.
        ConfigurationError: a combination of parameters that makes no sense.
    """

    def __init__(self, open_localizer: OpenLocalizer = Localizer.open, **options: Any) -> None:
        super().__init__("relocalizer", **options)
        declare_parameters(self, NodeConfiguration, read_only={"autostart"})
        declare_parameters(self, LocalizerConfiguration)
        self._settings = read_parameters(self, NodeConfiguration)
        self._configuration = read_parameters(self, LocalizerConfiguration)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._apply_parameters)

        self._open_localizer = open_localizer
        self._localizer: Localizer | None = None
        self._map_problem = ""
        self._pipeline: Pipeline | None = None
        self._reporter = ChangeReporter(self.get_logger())

        self.create_service(LoadMap, "~/load_map", self._on_load_map)
        # A group of its own: images and transforms come in while a caller waits for the answer.
        group = MutuallyExclusiveCallbackGroup()
        self.create_service(Relocalize, "~/relocalize", self._on_relocalize, callback_group=group)
        wall_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.create_timer(1.0, self._publish_diagnostics, clock=wall_clock)
        if self._settings.autostart:
            self._autostart_timer = self.create_timer(0.0, self._start, clock=wall_clock)

    @property
    def state(self) -> str:
        """The lifecycle state: unconfigured, inactive, active or finalized."""
        return str(self._state_machine.current_state[1])

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the map, unless ~/load_map did already, and starts listening."""
        if self._localizer is None and self._settings.map:
            try:
                self._localizer = self._open(self._settings.map)
            except RelocError as error:
                self._map_problem = str(error)
                self.get_logger().error(f"{error}; call ~/load_map or configure again")
                return FAILURE
        if self._localizer is None:
            self._map_problem = "no map: set the parameter 'map' or call ~/load_map"
            self.get_logger().warning(self._map_problem)
        self._pipeline = Pipeline(self, self._localizer, self._settings, self._reporter)
        self._pipeline.frames.reconfigure(self._configuration)
        return super().on_configure(state)

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begins to localize and publish."""
        activated = super().on_activate(state)
        if self._pipeline is not None:
            self._pipeline.start()
        return activated

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops localizing and publishing."""
        if self._pipeline is not None:
            self._pipeline.stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Lets go of the map and stops listening."""
        self._close()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleaning up."""
        self._close()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured."""
        self._close()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Stops working before the publishers go."""
        self._close()
        super().destroy_node()

    def _close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
        self._pipeline, self._localizer, self._map_problem = None, None, ""

    def _start(self) -> None:
        self._autostart_timer.cancel()
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def _open(self, path: str) -> Localizer:
        """Opens the localizer for a map; raises RelocError whatever goes wrong."""
        try:
            localizer = self._open_localizer(
                Path(path),
                self._configuration,
                self._settings.method or None,
                self._settings.device,
            )
        except RelocError:
            raise
        except Exception as error:  # out of memory, a library that is missing: the node stays up
            self.get_logger().error(traceback.format_exc())
            raise MapError(f"{path}: {error}") from error
        scene_map = localizer.scene_map
        self.get_logger().info(
            f"map {scene_map.information.revision} with {scene_map.keyframe_count} keyframes, "
            f"method {localizer.method}"
        )
        return localizer

    def _on_load_map(
        self, request: LoadMap.Request, response: LoadMap.Response
    ) -> LoadMap.Response:
        try:
            localizer = self._open(request.map_path)
        except RelocError as error:
            response.message = str(error)
            self.get_logger().error(response.message)
        else:
            response.success = True
            self._localizer, self._map_problem = localizer, ""
            if self._pipeline is not None:
                self._pipeline.frames.use(localizer)
            elif self._settings.autostart:
                self._start()
        if self._localizer is not None:
            response.map_revision = self._localizer.scene_map.information.revision
        return response

    def _on_relocalize(
        self, request: Relocalize.Request, response: Relocalize.Response
    ) -> Relocalize.Response:
        if (pipeline := self._pipeline) is None:
            response.result = RelocResult(
                status=Status.INVALID_INPUT.value, reason="the relocalizer is not configured"
            )
        else:
            response.result = pipeline.relocalize(request)
        return response

    def _check_parameters(self, changes: Sequence[Parameter]) -> SetParametersResult:
        fixed = NEEDS_CONFIGURE.intersection(parameter.name for parameter in changes)
        if fixed and self.state != "unconfigured":
            names = ", ".join(sorted(fixed))
            return SetParametersResult(
                successful=False, reason=f"cannot change unless the node is unconfigured: {names}"
            )
        try:
            read_parameters(self, NodeConfiguration, changes)
            read_parameters(self, LocalizerConfiguration, changes)
        except RelocError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply_parameters(self, _: Sequence[Parameter]) -> None:
        self._settings = read_parameters(self, NodeConfiguration)
        self._configuration = read_parameters(self, LocalizerConfiguration)
        if self._pipeline is not None:
            self._pipeline.frames.settings = self._settings
            self._pipeline.frames.reconfigure(self._configuration)

    def _publish_diagnostics(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = [
            diagnostic_status(
                self.get_fully_qualified_name().lstrip("/"),
                self.state,
                self._map_problem,
                self._pipeline,
            )
        ]
        self._diagnostics.publish(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; exit status 2 where its parameters make no sense."""
    return run_node(Relocalizer, arguments)


if __name__ == "__main__":
    sys.exit(main())
