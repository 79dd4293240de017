"""What the nodes have in common: parameters, lifecycle states and diagnostics."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from threading import RLock
from typing import Any, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.service import Service

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.nodes.bond import Bond
from dense_reloc_ros.nodes.diagnostics import diagnostic_status
from dense_reloc_ros.nodes.node_configuration import ALL_MODELS, NEEDS_CONFIGURE
from dense_reloc_ros.nodes.parameters import check_names, declare_parameters, read_parameters
from dense_reloc_ros.nodes.pipeline import Pipeline
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.services import Answer, answering
from dense_reloc_ros.nodes.transforms import Transforms
from dense_reloc_ros.nodes.wait_action import Confirmed
from dense_reloc_ros.nodes.wait_actions import WAIT_ACTIONS
from dense_reloc_ros.parameter_blocks import Block

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR


AnyPipeline = TypeVar("AnyPipeline", bound=Pipeline[Any])
Transition = Callable[[Any, LifecycleState], TransitionCallbackReturn]


def logged(transition: Transition) -> Transition:
    """A transition that says what it raised before rclpy turns that into an error without words."""

    @wraps(transition)
    def run(self: LifecycleNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(self, state)
        except Exception:
            self.get_logger().error(f"{transition.__name__}: {traceback.format_exc()}")
            return ERROR

    return run


class LocalizationNode(LifecycleNode, ABC, Generic[AnyPipeline]):
    """A node whose parameters are the fields of some models, and whose pipeline does the work.

    Callbacks that must be prompt are in the default group: parameters, state, diagnostics. Each of
    those that may take long has a group of its own: transitions, maps, single frames, images.

    Raises:
        rclpy.exceptions.ParameterException: a parameter of a wrong type or out of range.
        ConfigurationError: a combination of parameters that makes no sense.
    """

    def __init__(self, name: str, models: Sequence[type[Block]], **options: Any) -> None:
        super().__init__(name, **options)
        self._models = models
        for model in models:
            declare_parameters(self, model, read_only={"autostart"})
        check_names(self, {*models, *ALL_MODELS})
        for model in models:
            read_parameters(self, model)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._on_parameters_changed)
        self.transitions = RLock()
        """Held by who changes the state, or what must not change with it."""
        self.pipeline: AnyPipeline | None = None
        self.reporter = ChangeReporter(self.get_logger())
        self.transforms = Transforms(self, self.reporter)
        self._bond = Bond(self)
        self._waits = [make(self, self._confirmed, self.look_everywhere) for make in WAIT_ACTIONS]
        self._failure = ""
        """Why the node gave itself up; empty when it did not."""
        group = MutuallyExclusiveCallbackGroup()
        self._answer_change_of_state(group)
        self._giving_up = self.create_guard_condition(self._on_giving_up, callback_group=group)
        wall_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.create_timer(1.0, self._publish_diagnostics, clock=wall_clock)
        self.starts_itself = bool(self.get_parameter("autostart").value)
        if self.starts_itself:
            self._autostart_timer = self.create_timer(
                0.0, self._autostart, callback_group=group, clock=wall_clock
            )

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

    def create_service(
        self, srv_type: Any, srv_name: str, callback: Answer, **options: Any
    ) -> Service:
        """As in rclpy, but whatever the callback raises, there is an answer."""
        callback = answering(callback, srv_name, self.get_logger())
        return super().create_service(srv_type, srv_name, callback, **options)

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Makes the pipeline, which starts listening."""
        self._failure = ""
        self.pipeline = self.make_pipeline()
        if self.pipeline is None:
            return FAILURE
        self.transforms.open(self.pipeline.hear)
        return super().on_configure(state)

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begins to work and publish."""
        activated = super().on_activate(state)
        if self.pipeline is not None:
            self.pipeline.start()
        self._bond.open(self.get_parameter("bond_heartbeat_period").value)
        return activated

    @logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops working and publishing."""
        self._bond.close()
        if self.pipeline is not None:
            self.pipeline.stop()
        for waits in self._waits:
            waits.abort()
        deactivated = super().on_deactivate(state)
        return ERROR if self._failure else deactivated

    @logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops listening and lets go of everything."""
        self._close()
        return super().on_cleanup(state)

    @logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleaning up."""
        self._close()
        return super().on_shutdown(state)

    @logged
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured."""
        self._close()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Stops working before the publishers go."""
        for waits in self._waits:
            waits.destroy()
        self._close()
        super().destroy_node()

    def start(self) -> None:
        """Configures and activates the node, as its parameter autostart asks for."""
        with self.transitions:
            if self.state == "unconfigured" and self.trigger_configure() == SUCCESS:
                self.trigger_activate()

    def look_everywhere(self, reason: str) -> None:
        """Ends what is believed of the robot's place, and what narrows the search for it."""
        if (pipeline := self.pipeline) is not None:
            pipeline.begin_anew(reason)

    def give_up(self, reason: str) -> None:
        """Has an active node fall back to unconfigured by an error, which a manager can answer.

        Returns before that is done, so that any thread may ask for it.
        """
        self._failure = reason
        self._giving_up.trigger()

    def _confirmed(self) -> Confirmed | None:
        pipeline = self.pipeline
        return None if pipeline is None or self.state != "active" else pipeline.confirmed

    def _on_giving_up(self) -> None:
        with self.transitions:
            if self.state != "active":
                return
            self.get_logger().error(f"{self._failure}; configure the node again")
            self.trigger_deactivate()
        if self.starts_itself:
            self.start()

    def _autostart(self) -> None:
        self._autostart_timer.cancel()
        self.start()

    def _use(self, localizer: Localizer) -> None:
        """Goes on with a map that ~/load_map brings."""
        if self.pipeline is not None:
            self.pipeline.use(localizer)
        elif self.starts_itself:
            self.start()

    def _close(self) -> None:
        self._bond.close()
        for waits in self._waits:
            waits.abort()
        pipeline, self.pipeline = self.pipeline, None
        if pipeline is not None:
            pipeline.stop()
            self.transforms.close(pipeline.hear)
            pipeline.close()
        self.release()

    def _answer_change_of_state(self, group: MutuallyExclusiveCallbackGroup) -> None:
        """Gives rclpy's service a group of its own, and an answer to what is not possible."""
        service = self._service_change_state
        change = answering(service.callback, "change_state", self.get_logger())

        def answer(
            request: ChangeState.Request, response: ChangeState.Response
        ) -> ChangeState.Response:
            with self.transitions:
                asked = request.transition
                possible = {t[0]: t[1] for t in self._state_machine.available_transitions}
                if asked.label in possible.values() or (not asked.label and asked.id in possible):
                    return change(request, response)
                choices = ", ".join(f"{label} ({n})" for n, label in possible.items()) or "none"
                self.get_logger().warning(
                    f"no transition '{asked.label or asked.id}' while {self.state}; "
                    f"possible: {choices}"
                )
                return ChangeState.Response(success=False)

        service.callback = answer
        service.callback_group = group
        group.add_entity(service)

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
        if (pipeline := self.pipeline) is not None:
            self.apply_parameters(pipeline)

    def _publish_diagnostics(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        name = self.get_fully_qualified_name().lstrip("/")
        problem = self._failure or self.map_problem
        message.status = [diagnostic_status(name, self.state, problem, self.pipeline)]
        self._diagnostics.publish(message)
        if self.pipeline is not None and self.state == "active":
            self.pipeline.look_after()
