import numpy as np
import pytest
from matplotlib.collections import PathCollection

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.contact_sheet import ContactFrame
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.rendering.overview import overview_figure
from dense_reloc_ros.rendering.paths import mapping_motion, query_motion
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.room import Box, Room, Walkway

CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
WALKWAY = Walkway((1.0, 0.8), (2.0, 1.6))


@pytest.fixture(scope="module")
def room() -> Room:
    floor = np.full((20, 20, 3), 90, dtype=np.uint8)
    floor[:10, 10:] = (200, 0, 0)  # the corner where x and y of the map are positive
    surface = Box(np.eye(4), (6.0, 5.0, 0.0)).face("top", floor)
    return Room((6.0, 5.0, 2.5), (surface,), (), (), np.ones(3), WALKWAY)


def figure_of(room: Room, point: np.ndarray, localized: list[bool]):
    poses = query_motion(WALKWAY, len(localized), 0).T_map_camera
    records = [
        FrameRecord(i, str(i), pose if is_localized else None, ground_truth=pose)
        for i, (pose, is_localized) in enumerate(zip(poses, localized, strict=True))
    ]
    frame = ContactFrame(records[0], np.zeros((48, 64, 3), np.uint8), CAMERA, point[None])
    keyframes = mapping_motion(WALKWAY, 6, 0).T_map_camera
    return overview_figure(frame, records, keyframes, room, Raycaster(room)), poses


def test_a_point_is_drawn_where_the_pose_projects_it(room):
    pose = query_motion(WALKWAY, 3, 0).T_map_camera[0]
    point = (pose @ [0.4, -0.2, 2.0, 1.0])[:3]
    figure, _ = figure_of(room, point, [True, True, False])
    (dots,) = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    assert np.asarray(dots.get_offsets()) == pytest.approx(np.array([[41.5, 18.5]]))
    assert "0.0 cm" in figure.axes[0].get_title()


def test_the_plan_shows_x_to_the_right_and_y_upwards(room):
    figure, _ = figure_of(room, np.zeros(3), [True, False])
    plan = np.asarray(figure.axes[1].images[0].get_array())
    height, width = plan.shape[:2]
    red = plan[..., 0].astype(int) - plan[..., 1] > 50
    blur = 15  # pixels: the texture's texels are large
    assert red[4 : height // 2 - blur, width // 2 + blur : -4].all()
    assert not red[height // 2 + blur :].any()
    assert not red[:, : width // 2 - blur].any()


def test_the_plan_counts_and_marks_what_was_localized(room):
    localized = [True, False, True, True]
    figure, poses = figure_of(room, np.zeros(3), localized)
    axes = figure.axes[1]
    assert "3 of 4" in axes.get_title()
    lines = {line.get_label(): np.array(line.get_data()).T for line in axes.lines}
    assert [len(lines[name]) for name in ("ground truth", "localized", "rejected")] == [4, 3, 1]
    height, width = np.asarray(axes.images[0].get_array()).shape[:2]
    # From 40 m above, a camera at 1.4 m looks 3.6 % closer to the edge than on the floor.
    expected = np.array([width, height]) / 2 + 80 * poses[1, :2, 3] * [1, -1] * 1.036
    assert lines["rejected"][0] == pytest.approx(expected, abs=2)
