"""Actions whose goals wait until the robot knows where it is."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Any, ClassVar

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.temporal.belief import Standing, State

PERIOD = 0.1
"""Seconds between two looks at the robot, as long as somebody waits."""
ASKED_TO_FORGET = "a goal of wait_localized asked to look everywhere"
NOT_ACTIVE = "the node is not active"
DEACTIVATED = "the node was deactivated"
Confirmed = tuple[Standing, RelocResult | None]
"""What is believed, and the last result that confirms it; None where none does."""


@dataclass(frozen=True)
class Terms:
    """What a goal waits for."""

    timeout: float = 0.0
    """Seconds; 0 or less: as long as it takes."""
    least_confidence: float = 0.0
    """Of the last pose that was found."""
    forget_first: bool = False
    """Whether what is believed shall be forgotten, and the robot be looked for everywhere."""


@dataclass
class Wait:
    """A goal that is not answered yet."""

    handle: ServerGoalHandle
    terms: Terms
    began: float
    """By the monotonic clock."""
    said: State | None = None
    """In the last feedback."""

    @property
    def passed(self) -> float:
        """Seconds."""
        return time.monotonic() - self.began


@dataclass(frozen=True)
class Outcome:
    """How a wait ended."""

    reason: str
    """Why it failed; empty when it did not."""
    seconds: float
    standing: Standing | None
    """None of a node that is not active any more."""
    pose: RelocResult | None
    """The last result that confirms what is believed."""


class WaitAction(ABC):
    """An action of a node: any number of goals wait at once, and none holds a thread.

    A goal stays accepted while it waits, and is executed when it is decided about: in rclpy, a
    callback that waits for something takes a thread, or keeps the executor busy all the time.
    A node that is not active rejects goals; one that is deactivated aborts them.

    `ask` says what is known of the robot, None while the node is not active. `look_everywhere` has
    it forgotten for a reason.
    """

    action_type: ClassVar[Any]
    name: ClassVar[str]

    def __init__(
        self,
        node: LifecycleNode,
        ask: Callable[[], Confirmed | None],
        look_everywhere: Callable[[str], None],
    ) -> None:
        self._ask = ask
        self._look_everywhere = look_everywhere
        self._logger = node.get_logger()
        self._lock = RLock()
        self._waits: dict[bytes, Wait] = {}
        self._outcomes: dict[bytes, Outcome] = {}
        group = MutuallyExclusiveCallbackGroup()
        self._server = ActionServer(
            node,
            self.action_type,
            self.name,
            self._answer,
            callback_group=group,
            goal_callback=self._accept,
            handle_accepted_callback=self._begin,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD, self._look, callback_group=group, clock=clock)
        self._timer.cancel()

    @abstractmethod
    def terms_of(self, goal: Any) -> Terms:
        """What a goal asks for."""

    @abstractmethod
    def feedback(self, wait: Wait, standing: Standing) -> Any | None:
        """What is said meanwhile; None where there is nothing new."""

    @abstractmethod
    def result(self, outcome: Outcome) -> Any:
        """The answer."""

    def abort(self) -> None:
        """Ends all waits of a node that is being deactivated."""
        with self._lock:
            for wait in list(self._waits.values()):
                self._decide(wait, DEACTIVATED)

    def destroy(self) -> None:
        """Takes the action away, and its goals with it: nobody can be answered any more."""
        with self._lock:
            self._waits.clear()
        self._server.destroy()

    def _accept(self, goal: Any) -> GoalResponse:
        terms = self.terms_of(goal)
        if self._ask() is None:
            problem = NOT_ACTIVE
        elif not terms.least_confidence <= 1:
            problem = f"no pose reaches a least_confidence of {terms.least_confidence:g}"
        else:
            return GoalResponse.ACCEPT
        self._logger.warning(f"a goal to wait is rejected: {problem}")
        return GoalResponse.REJECT

    def _begin(self, handle: ServerGoalHandle) -> None:
        terms = self.terms_of(handle.request)
        if terms.forget_first:
            self._look_everywhere(ASKED_TO_FORGET)
        with self._lock:
            self._waits[bytes(handle.goal_id.uuid)] = Wait(handle, terms, time.monotonic())
            self._timer.reset()
        self._look()

    def _look(self) -> None:
        """Decides about the waits, and tells those that go on how it stands."""
        known = self._ask()
        with self._lock:
            for wait in list(self._waits.values()):
                if known is None:
                    self._decide(wait, DEACTIVATED)
                    continue
                standing, pose = known
                problem = problem_of(standing, pose, wait.terms.least_confidence)
                if wait.handle.is_cancel_requested:
                    self._decide(wait, f"canceled by the caller: {problem}")
                elif not problem:
                    self._decide(wait, "")
                elif 0 < wait.terms.timeout <= wait.passed:
                    self._decide(wait, f"not within {wait.terms.timeout:g} s: {problem}")
                elif (feedback := self.feedback(wait, standing)) is not None:
                    wait.said = standing.state
                    wait.handle.publish_feedback(feedback)
            if not self._waits:
                self._timer.cancel()

    def _decide(self, wait: Wait, reason: str) -> None:
        """Has a goal answered by the executor."""
        goal_id = bytes(wait.handle.goal_id.uuid)
        del self._waits[goal_id]
        self._outcomes[goal_id] = Outcome(reason, wait.passed, *(self._ask() or (None, None)))
        wait.handle.execute()

    def _answer(self, handle: ServerGoalHandle) -> Any:
        with self._lock:
            outcome = self._outcomes.pop(bytes(handle.goal_id.uuid))
        if not outcome.reason:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return self.result(outcome)


def problem_of(standing: Standing, pose: RelocResult | None, least_confidence: float) -> str:
    """Why the robot does not count as localized; empty where it does."""
    if standing.state is not State.TRACKING:
        return f"{standing.state.name}: {standing.reason}"
    if pose is None:
        return "no published pose confirms what is believed"
    if not pose.base_frame_id:
        return "TF does not connect the base to the camera"
    if pose.confidence < least_confidence:
        return f"the confidence of the last pose is {pose.confidence:.3f}"
    return ""
