"""What goals that wait look like: our own, and the one that Nav2's behaviour trees know."""

from __future__ import annotations

from builtin_interfaces.msg import Duration
from nav2_msgs.action import Wait as Nav2Wait

from dense_reloc_ros.action import WaitLocalized
from dense_reloc_ros.nodes.output import stamped_pose
from dense_reloc_ros.nodes.wait_action import Outcome, Terms, Wait, WaitAction
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.temporal.belief import Standing


class WaitLocalizedAction(WaitAction):
    """`~/wait_localized`."""

    action_type = WaitLocalized
    name = "~/wait_localized"

    def terms_of(self, goal: WaitLocalized.Goal) -> Terms:
        """As given."""
        return Terms(seconds(goal.timeout), goal.least_confidence, goal.forget_first)

    def feedback(self, wait: Wait, standing: Standing) -> WaitLocalized.Feedback | None:
        """The state, when it has changed."""
        if wait.said is standing.state:
            return None
        return WaitLocalized.Feedback(state=standing.state.value, reason=standing.reason)

    def result(self, outcome: Outcome) -> WaitLocalized.Result:
        """The state, and the pose of a robot that is localized."""
        result = WaitLocalized.Result(success=not outcome.reason, reason=outcome.reason)
        if outcome.standing is not None:
            result.state = outcome.standing.state.value
        if outcome.pose is not None and not outcome.reason:
            result.pose = stamped_pose(outcome.pose)
            result.confidence = outcome.pose.confidence
            result.map_revision = outcome.pose.map_revision
        return result


class Nav2WaitAction(WaitAction):
    """`~/nav2_wait_localized`: what the node `Wait` of any Nav2 tree can call by its `server_name`.

    It succeeds when the robot is localized, and is aborted when the duration has passed.
    """

    action_type = Nav2Wait
    name = "~/nav2_wait_localized"

    def terms_of(self, goal: Nav2Wait.Goal) -> Terms:
        """The duration is the longest one."""
        return Terms(seconds(goal.time))

    def feedback(self, wait: Wait, standing: Standing) -> Nav2Wait.Feedback:
        """The time that is left, each time."""
        return Nav2Wait.Feedback(time_left=duration(max(0.0, wait.terms.timeout - wait.passed)))

    def result(self, outcome: Outcome) -> Nav2Wait.Result:
        """The time that has passed; versions of Nav2 that take a reason get one."""
        result = Nav2Wait.Result(total_elapsed_time=duration(outcome.seconds))
        if hasattr(result, "error_msg"):
            result.error_msg = outcome.reason
        return result


def seconds(message: Duration) -> float:
    """A duration in seconds."""
    return float(message.sec + message.nanosec / NANOSECONDS)


def duration(given: float) -> Duration:
    """Seconds, none below zero, as a duration."""
    whole, rest = divmod(round(given * NANOSECONDS), NANOSECONDS)
    return Duration(sec=whole, nanosec=rest)


WAIT_ACTIONS: tuple[type[WaitAction], ...] = (WaitLocalizedAction, Nav2WaitAction)
