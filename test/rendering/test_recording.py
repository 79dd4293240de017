import numpy as np
import pytest

from dense_reloc_ros.bags.bag_reader import BagReader, stamp_of
from dense_reloc_ros.bags.frames import read_frames
from dense_reloc_ros.bags.recorded_poses import static_transform
from dense_reloc_ros.bags.topics import (
    BASE_FRAME,
    CAMERA_FRAME,
    GROUND_TRUTH_TOPIC,
    ODOMETRY_FRAME,
    TF_TOPIC,
)
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.odometry_noise import drifting_odometry
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
from dense_reloc_ros.rendering.paths import VIDEO_RATE, query_motion
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import (
    CAMERA_INFO_FILE,
    SENSOR_NOISE,
    photographed,
    write_mapping,
    write_query_bag,
)
from dense_reloc_ros.rendering.room import Box, Room, Walkway

CAMERA = Camera(96, 72, 80.0, 81.0, 47.5, 35.5)
MOTION = query_motion(Walkway((1.0, 0.8), (2.0, 1.6)), 4, seed=0)


@pytest.fixture(scope="module")
def raycaster() -> Raycaster:
    rng = np.random.default_rng(0)
    shell = Box(np.eye(4), (8.0, 7.0, 3.0))
    surfaces = [
        # The back of a box that stands outside is the wall as seen from inside.
        Box(shell.T_map_box @ offset(x, y), shell.size).face(face, smooth(rng))
        for face, x, y in (("left", 8, 0), ("right", -8, 0), ("front", 0, 7), ("back", 0, -7))
    ]
    return Raycaster(Room(shell.size, tuple(surfaces), (), (), np.ones(3), Walkway((1, 1), (2, 2))))


def offset(x: float, y: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:2, 3] = x, y
    return pose


def smooth(rng: np.random.Generator) -> np.ndarray:
    return np.kron(rng.integers(40, 200, (4, 5, 3)), np.ones((40, 40, 1))).astype(np.uint8)


def test_mapping_files_hold_what_was_rendered(tmp_path, raycaster):
    write_mapping(tmp_path / "mapping", raycaster, CAMERA, MOTION.T_map_camera, seed=0)
    camera = load_camera_info(tmp_path / "mapping" / CAMERA_INFO_FILE)
    assert camera == CAMERA
    frames = read_seven_scenes(tmp_path / "mapping", camera)
    assert len(frames) == 4
    for frame, pose in zip(frames, MOTION.T_map_camera, strict=True):
        view = raycaster.render(CAMERA, pose)
        assert frame.T_map_camera == pytest.approx(pose, abs=1e-8)
        assert frame.load_depth() == pytest.approx(view.depth, abs=5.1e-4)
        difference = frame.load_image().astype(float) - view.image
        assert np.abs(difference.mean()) < 0.5
        assert difference.std() < 5 * SENSOR_NOISE  # and JPEG's


def test_every_second_number_is_a_video_at_its_rate(tmp_path, raycaster):
    write_mapping(tmp_path / "query", raycaster, CAMERA, MOTION.T_map_camera, seed=0, step=2)
    times = [frame.timestamp for frame in read_seven_scenes(tmp_path / "query", CAMERA)]
    assert times == pytest.approx(MOTION.times)


def test_the_bag_holds_images_ground_truth_mount_and_odometry(tmp_path, raycaster):
    odometry = drifting_odometry(MOTION.T_map_base, 0.02, seed=0)
    write_query_bag(tmp_path / "query", raycaster, CAMERA, MOTION, odometry, seed=0)
    with BagReader(tmp_path / "query") as bag:
        frames = read_frames(bag, pose_topic=GROUND_TRUTH_TOPIC)
        assert [frame.camera for frame in frames] == [CAMERA] * 4
        times = [frame.timestamp for frame in frames]
        assert np.diff(times) == pytest.approx(1 / VIDEO_RATE, abs=1e-6)
        for frame, pose in zip(frames, MOTION.T_map_camera, strict=True):
            assert pose_error(frame.T_map_camera, pose).translation < 1e-9
            expected = raycaster.render(CAMERA, pose).image
            assert (frame.load_image().astype(float) - expected).std() < 1.2 * SENSOR_NOISE
        mount = static_transform(bag, BASE_FRAME, CAMERA_FRAME)
        assert mount == pytest.approx(MOTION.T_base_camera)
        transforms = [bag.decode(message).transforms[0] for message in bag.messages([TF_TOPIC])]
        stamps = [stamp_of(transform) for transform in transforms]
        assert [stamp / 1e9 for stamp in stamps] == pytest.approx(times, abs=1e-6)
        for transform, pose in zip(transforms, odometry, strict=True):
            assert transform.header.frame_id == ODOMETRY_FRAME
            assert transform.child_frame_id == BASE_FRAME
            position = transform.transform.translation
            assert [position.x, position.y, position.z] == pytest.approx(pose[:3, 3])


def test_the_same_seed_records_the_same(tmp_path, raycaster):
    for name in ("first", "second"):
        write_mapping(tmp_path / name, raycaster, CAMERA, MOTION.T_map_camera[:1], seed=4)
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("first", "second"))
    assert [file.name for file in first] == [file.name for file in second]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_an_existing_folder_is_not_overwritten(tmp_path, raycaster):
    with pytest.raises(InputError, match="cannot be written"):
        write_mapping(tmp_path, raycaster, CAMERA, MOTION.T_map_camera[:1], seed=0)


def test_light_that_is_turned_off_leaves_only_noise():
    view = np.full((40, 60, 3), 200, dtype=np.uint8)
    lit, dimmed, dark = (photographed(view, np.random.default_rng(0), x) for x in (1.0, 0.5, 0.0))
    assert lit.mean() == pytest.approx(200, abs=0.2)
    assert dimmed.mean() == pytest.approx(100, abs=0.2)
    assert lit.std() == pytest.approx(SENSOR_NOISE, rel=0.1)
    assert dark.max() < 5 * SENSOR_NOISE
