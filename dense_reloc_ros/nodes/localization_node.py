"""What the nodes have in common: parameters, lifecycle states and diagnostics."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from dense_reloc_ros.configuration import Block
from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.nodes.diagnostics import diagnostic_status
from dense_reloc_ros.nodes.node_configuration import NEEDS_CONFIGURE
from dense_reloc_ros.nodes.parameters import declare_parameters, read_parameters
from dense_reloc_ros.nodes.pipeline import Pipeline
from dense_reloc_ros.nodes.reporting import ChangeReporter

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


AnyPipeline = TypeVar("AnyPipeline", bound=Pipeline[Any])
Transition = Callable[[Any, LifecycleState], TransitionCallbackReturn]


def logged(transition: Transition) -> Transition:
    """A transition that says what it raised before rclpy turns that into an error without words."""

    @wraps(transition)
    def run(self: LifecycleNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(self, state)
        except Exception:
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR

    return run


class LocalizationNode(LifecycleNode, ABC, Generic[AnyPipeline]):
    """A node whose parameters are the fields of some models, and whose pipeline does the work.

    Raises:
        rclpy.exceptions.ParameterException: a parameter of a wrong type or out of range.
        ConfigurationError: a combination of parameters that makes no sense.
    """

    def __init__(self, name: str, models: Sequence[type[Block]], **options: Any) -> None:
        super().__init__(name, **options)
        self._models = models
        for model in models:
            declare_parameters(self, model, read_only={"autostart"})
        for model in models:
            read_parameters(self, model)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._on_parameters_changed)
        self.pipeline: AnyPipeline | None = None
        self.reporter = ChangeReporter(self.get_logger())
        wall_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.create_timer(1.0, self._publish_diagnostics, clock=wall_clock)
        self.starts_itself = bool(self.get_parameter("autostart").value)
        if self.starts_itself:
            self._autostart_timer = self.create_timer(0.0, self.start, clock=wall_clock)

    @abstractmethod
    def make_pipeline(self) -> AnyPipeline | None:
        """What works with the present parameters; None where it cannot be made, which is logged."""

    @abstractmethod
    def apply_parameters(self, pipeline: AnyPipeline) -> None:
        """Hands changed parameters to the pipeline."""

    @property
    def map_problem(self) -> str:
        """What keeps the node from having a map; empty when nothing does."""
        return ""

    def release(self) -> None:
        """Lets go of what outlives a pipeline but not the configuration."""

    @property
    def state(self) -> str:
        """The lifecycle state: unconfigured, inactive, active or finalized."""
        return str(self._state_machine.current_state[1])

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Makes the pipeline, which starts listening."""
        self.pipeline = self.make_pipeline()
        return FAILURE if self.pipeline is None else super().on_configure(state)

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begins to work and publish."""
        activated = super().on_activate(state)
        if self.pipeline is not None:
            self.pipeline.start()
        return activated

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops working and publishing."""
        if self.pipeline is not None:
            self.pipeline.stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops listening and lets go of everything."""
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

    def start(self) -> None:
        """Configures and activates the node, as its parameter autostart asks for."""
        self._autostart_timer.cancel()
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def _close(self) -> None:
        pipeline, self.pipeline = self.pipeline, None
        if pipeline is not None:
            pipeline.close()
        self.release()

    def _check_parameters(self, changes: Sequence[Parameter]) -> SetParametersResult:
        fixed = NEEDS_CONFIGURE.intersection(parameter.name for parameter in changes)
        if fixed and self.state != "unconfigured":
            names = ", ".join(sorted(fixed))
            return SetParametersResult(
                successful=False, reason=f"cannot change unless the node is unconfigured: {names}"
            )
        try:
            for model in self._models:
                read_parameters(self, model, changes)
        except RelocError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _on_parameters_changed(self, _: Sequence[Parameter]) -> None:
        if self.pipeline is not None:
            self.apply_parameters(self.pipeline)

    def _publish_diagnostics(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        name = self.get_fully_qualified_name().lstrip("/")
        message.status = [diagnostic_status(name, self.state, self.map_problem, self.pipeline)]
        self._diagnostics.publish(message)
        if self.pipeline is not None and self.state == "active":
            self.pipeline.look_after()
