"""Where a robot is believed to be, by frames and odometry: transform, state and display follow."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import RLock

from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.planar import upright_transform
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.belief_display import BeliefDisplay
from dense_reloc_ros.nodes.conversions import pose_from_message
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.loop_closures import covariance_of, mount_of
from dense_reloc_ros.nodes.map_transform import MapTransform
from dense_reloc_ros.nodes.predicted_pose import PredictedPosePublisher
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.robot_frames import FrameHeader, RobotFrames
from dense_reloc_ros.nodes.state_publisher import StatePublisher
from dense_reloc_ros.nodes.transforms import Heard
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.temporal.belief import TIME_JUMPED, Belief, Event, Fix, Standing, State

PERIOD = NANOSECONDS // 10
"""Of odometry, after which it is asked whether the robot is still known."""
SILENT_SECONDS = 3.0
"""Where neither images nor odometry came for so long, the node's clock tells the time."""
OTHER_MAP = "the map was exchanged"


class Placement:
    """Feeds the belief. Results come from one thread, odometry from another; none waits.

    `with_odometry`: transform and pose are said with all odometry that comes, not only with images.
    `on_lost` is called with the reason where what was believed turns out to be wrong or too old.
    """

    def __init__(
        self,
        node: LifecycleNode,
        robot: RobotFrames,
        reporter: ChangeReporter,
        belief: Belief,
        on_lost: Callable[[str], None],
        *,
        with_odometry: bool,
    ) -> None:
        self.transform = MapTransform(node, robot)
        self.placed = 0.0
        """When the newest image came that placed the robot (monotonic clock); 0 while lost."""
        self._node = node
        self._robot = robot
        self._reporter = reporter
        self._belief = belief
        self._on_lost = on_lost
        self._with_odometry = with_odometry
        self._states = StatePublisher(node)
        self._display = BeliefDisplay(node)
        self._predictions = PredictedPosePublisher(node, robot) if with_odometry else None
        self._lock = RLock()
        self._early: deque[tuple[FrameHeader, FrameResult]] = deque()
        """Frames with a pose that came before the odometry of their time."""
        self._newest: FrameHeader | None = None
        self._newest_came = 0
        self._revision = ""
        self._confirmed: RelocResult | None = None
        self._asked = 0
        self._heard = 0.0
        self._since = 0.0
        """When all was forgotten, by the monotonic clock."""

    @property
    def standing(self) -> Standing:
        """What is believed now."""
        return self._belief.standing

    @property
    def confirmed(self) -> tuple[Standing, RelocResult | None]:
        """What is believed now, and the last result that confirms it; None where none does."""
        with self._lock:
            return self.standing, self._confirmed

    def close(self) -> None:
        """Takes the publishers away."""
        self._states.close()
        self._display.close()
        if self._predictions is not None:
            self._predictions.close()
        self.transform.close()

    def start(self) -> None:
        """Says the state, also to those who have listened before."""
        with self._lock:
            self._states.say(self.standing)

    def configure(self, belief: Belief) -> None:
        """Goes on with another belief, as other parameters want it; it begins lost."""
        with self._lock:
            self._belief = belief
            self._end_place()
            self._states.say(self.standing)

    def forget(self, reason: str) -> None:
        """Ends what is believed, and so the transform; images of before say nothing any more."""
        with self._lock:
            self._since = time.monotonic()
            self._forget(reason)

    def publish(self, result: FrameResult) -> bool:
        """Takes a frame; what follows from it is published when the odometry of its time is known.

        A frame without a pose need not wait. False of one that is not taken, since its image came
        before what was forgotten.
        """
        header, message = result.header, result.message
        with self._lock:
            if header.received < self._since:
                return False
            if self._newest is not None and header.stamp < self._newest.stamp:
                self.transform.begin_anew()
                self.placed = 0.0
                self._early.clear()
                self._asked = 0
            if self._revision not in ("", message.map_revision):
                self._forget(OTHER_MAP)
            self._newest, self._revision = header, message.map_revision
            self._newest_came = self._node.get_clock().now().nanoseconds
            self._states.revision = message.map_revision
            self._states.map_frame = self.transform.map_frame = message.header.frame_id
            if not self._robot.settings.odom_frame:
                self._weigh(result, None)
                if message.base_frame_id and self._confirms(result):
                    T_map_base = pose_from_message(message.pose.pose)
                    self.transform.place_robot(message.base_frame_id, header.stamp, T_map_base)
                    self.placed = header.received
            elif fix_of(result) is not None:
                self._early.append((header, result))
                self._take_early()
            else:
                T_odom_camera = self._camera_in_odometry(header)
                if T_odom_camera is not None:
                    self._weigh(result, T_odom_camera)
                self.transform.correct(header.stamp)
            return True

    def hear(self, heard: Heard) -> None:
        """Publishes what has waited for odometry, and what is to be said again with it."""
        with self._lock:
            if self._early and (heard or not self._robot.time_left(self._early[0][0])):
                self._take_early()
            stamp = heard.get(self._robot.settings.odom_frame)
            if stamp is None:
                return
            self._heard = time.monotonic()
            is_wanted = self._predictions is not None and self._predictions.is_wanted
            if stamp >= self._asked + (1 if is_wanted else PERIOD):
                self._asked = stamp
                self._carry_on(stamp)
            if self._with_odometry or self._robot.settings.mode == "once":
                self.transform.repeat(stamp)

    def look_after(self) -> None:
        """Lets time pass where neither images nor odometry come."""
        with self._lock:
            self._display.say(self.standing)
            if self._newest is None or time.monotonic() - self._heard < SILENT_SECONDS:
                return
            passed = self._node.get_clock().now().nanoseconds - self._newest_came
            if passed > SILENT_SECONDS * NANOSECONDS:
                self._belief.predict(self._newest.stamp + passed, None)
                self._follow()

    def _camera_in_odometry(self, header: FrameHeader) -> FloatArray | None:
        is_needed = self._robot.settings.publish_tf
        return self._robot.camera_in_odometry_by_now(header, is_needed=is_needed)

    def _carry_on(self, stamp: int) -> None:
        if self._newest is None:
            return
        header = FrameHeader(stamp, self._newest.frame_id, time.monotonic())
        T_odom_camera = self._camera_in_odometry(header)
        if T_odom_camera is not None:
            expected = self._belief.predict(stamp, T_odom_camera)
            self._follow()
            if expected is not None and self._predictions is not None:
                self._predictions.publish(header, self.transform.map_frame, expected)

    def _take_early(self) -> None:
        """Goes on with the frames whose odometry is known, or will not come any more."""
        while self._early:
            header, result = self._early[0]
            T_odom_camera = self._camera_in_odometry(header)
            if T_odom_camera is None and self._robot.time_left(header):
                return
            self._early.popleft()
            self._weigh(result, T_odom_camera)
            if T_odom_camera is not None and self._confirms(result):
                T_map_odom = self._T_map_odom(result, T_odom_camera)
                self.transform.place(T_map_odom, at_once=self._is_found_anew)
                self.placed = header.received
            self.transform.correct(header.stamp)

    def _T_map_odom(self, result: FrameResult, T_odom_camera: FloatArray) -> FloatArray:
        """(4, 4) by a frame's pose; without roll and pitch for a robot on a floor."""
        message = result.message
        if self._robot.settings.planar and message.base_frame_id:
            T_odom_base = T_odom_camera @ inverse(mount_of(result))
            return upright_transform(pose_from_message(message.pose.pose), T_odom_base)
        return pose_from_message(message.camera_pose.pose) @ inverse(T_odom_camera)

    def _weigh(self, result: FrameResult, T_odom_camera: FloatArray | None) -> None:
        try:
            self._belief.observe(result.header.stamp, fix_of(result), T_odom_camera)
        except InputError as error:
            self._reporter.problem("belief", str(error))
            return
        self._reporter.resolved("belief")
        if self._confirms(result):
            self._display.place(result, anew=self._is_found_anew)
            self._confirmed = result.message
        elif self.standing.event is not Event.NONE:
            self._confirmed = None
        self._follow()

    @property
    def _is_found_anew(self) -> bool:
        return self.standing.event in (Event.RELOCALIZED, Event.KIDNAPPED)

    def _confirms(self, result: FrameResult) -> bool:
        """Whether a frame's own pose is what is believed now."""
        is_published = result.message.status == Status.LOCALIZED.value
        return is_published and self._belief.is_known and not self._belief.contradictions

    def _forget(self, reason: str) -> None:
        stamp = 0 if self._newest is None else self._newest.stamp
        self._end_place()
        self._states.say(self._belief.forget(stamp, reason))

    def _end_place(self) -> None:
        self._early.clear()
        self._lose_place()
        self._display.clear()

    def _lose_place(self) -> None:
        self.transform.forget()
        self._confirmed, self.placed = None, 0.0

    def _follow(self) -> None:
        """Lets transform and state say what is believed."""
        standing = self.standing
        if standing.state is State.LOST:
            self._lose_place()
        if standing.event is Event.LOST and standing.reason != TIME_JUMPED:
            self._on_lost(standing.reason)
        self._states.say(standing)
        self._display.say(standing)


def fix_of(result: FrameResult) -> Fix | None:
    """The pose of a frame: as published, or else by the frame alone; None where there is none."""
    for message in (result.message, result.raw):
        if message is not None and message.status == Status.LOCALIZED.value:
            pose = message.camera_pose
            return Fix(pose_from_message(pose.pose), covariance_of(pose), message.confidence)
    return None
