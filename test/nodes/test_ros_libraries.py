"""The same table of cases, whatever of cv_bridge and tf_transformations is installed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.images.encodings import PLANAR_ENCODINGS, RAW_ENCODINGS

pytest.importorskip("sensor_msgs", reason="no ROS 2: source install/setup.bash")
from nodes.fake_cv_bridge import CvBridge
from sensor_msgs.msg import Image

from dense_reloc_ros.nodes import ros_libraries
from dense_reloc_ros.nodes.ros_libraries import RosLibraries, installed_libraries

pytestmark = pytest.mark.ros

ALIKE = {
    *("rgb8", "bgr8", "rgba8", "bgra8", "mono8", "yuv422", "yuv422_yuy2"),
    *(f"bayer_{pattern}8" for pattern in ("rggb", "bggr", "gbrg", "grbg")),
}
"""Encodings that cv_bridge turns into the same RGB."""
HALF = float(np.sqrt(0.5))


def none() -> RosLibraries:
    return RosLibraries()


def stand_ins() -> RosLibraries:
    return RosLibraries(CvBridge(), transformations())


def installed() -> RosLibraries:
    for name in ("cv_bridge", "tf_transformations"):
        pytest.importorskip(name, reason=f"{name} is not installed: its stand-in was tested alone")
    return installed_libraries()


def transformations(**functions: Callable[..., Any]) -> SimpleNamespace:
    """As tf_transformations 1.1.1: (x, y, z, w) of unit length, w >= 0, 4x4 matrices."""

    def quaternion_matrix(quaternion: Any) -> Any:
        x, y, z, w = quaternion
        matrix = np.eye(4)
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        return matrix

    def quaternion_from_matrix(matrix: Any) -> Any:
        """By the largest eigenvalue (Bar-Itzhack), as transforms3d finds it."""
        (a, b, c), (d, e, f), (g, h, i) = np.asarray(matrix)[:3, :3]
        k = np.array(
            [
                [a - e - i, 0, 0, 0],
                [b + d, e - a - i, 0, 0],
                [c + g, f + h, i - a - e, 0],
                [h - f, c - g, d - b, a + e + i],
            ]
        )
        vector = np.linalg.eigh(k / 3.0)[1][:, 3]
        return vector if vector[3] >= 0 else -vector

    known = {
        "quaternion_matrix": quaternion_matrix,
        "quaternion_from_matrix": quaternion_from_matrix,
    }
    return SimpleNamespace(**(known | functions))


@pytest.fixture(params=[none, stand_ins, installed])
def libraries(request: pytest.FixtureRequest) -> RosLibraries:
    return request.param()


def image(encoding: str, bits: int = 0, padding: int = 0, **changes: Any) -> Image:
    """Noise of 8x6 pixels; of 16-bit encodings so many bits are used."""
    size, channels, _ = RAW_ENCODINGS.get(encoding, (1, 1, None))
    rows = 9 if encoding in PLANAR_ENCODINGS else 6
    rng = np.random.default_rng(1)
    values = rng.integers(0, 1 << (bits or 8 * size), (rows, 8 * channels))
    packed = values.astype(f"<u{size}").view(np.uint8).reshape(rows, -1)
    data = np.pad(packed, ((0, 0), (0, padding)), constant_values=77)
    message = Image(height=6, width=8, encoding=encoding, step=data.shape[1])
    message.data.frombytes(data.tobytes())
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def expected(message: Image) -> np.ndarray:
    return none().decode(message)


@pytest.mark.parametrize("encoding", [*RAW_ENCODINGS, *PLANAR_ENCODINGS])
@pytest.mark.parametrize("padding", [0, 5])
def test_every_encoding(libraries: RosLibraries, encoding: str, padding: int) -> None:
    message = image(encoding, padding=padding)
    decoded = libraries.decode(message)
    np.testing.assert_array_equal(decoded, expected(message))
    assert (decoded.shape, decoded.dtype) == ((6, 8, 3), np.uint8)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("encoding", ["mono16", "rgb16", "bayer_rggb16"])
def test_bits_that_are_used(libraries: RosLibraries, encoding: str, bits: int) -> None:
    """By hand for one pixel: the upper eight of the bits in use."""
    message = image(encoding, bits)
    np.testing.assert_array_equal(libraries.decode(message), expected(message))
    if encoding == "mono16":
        first = int(np.frombuffer(message.data, "<u2")[0])
        assert libraries.decode(message)[0, 0].tolist() == [first >> (bits - 8)] * 3


@pytest.mark.parametrize("encoding", ["rgb8", "mono16", "bayer_rggb8"])
def test_big_endian_and_a_last_row_without_padding(libraries: RosLibraries, encoding: str) -> None:
    big = image(encoding, is_bigendian=1)
    np.testing.assert_array_equal(libraries.decode(big), expected(big))
    short = image(encoding, padding=4)
    del short.data[-4:]
    np.testing.assert_array_equal(libraries.decode(short), expected(short))


@pytest.mark.parametrize(
    "changes",
    [{"height": 0}, {"width": 0}, {"step": 3}, {"height": 99}],
)
def test_images_that_cannot_be_used(libraries: RosLibraries, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        libraries.decode(image("rgb8", **changes))
    with pytest.raises(InputError, match="unknown image encoding"):
        libraries.decode(image("rgb9"))


def test_encoding(libraries: RosLibraries) -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for given in (rgb, rgb[:, ::-1], np.asfortranarray(rgb)):
        message = libraries.encode(given)
        assert (message.encoding, message.step, message.is_bigendian) == ("rgb8", 21, 0)
        np.testing.assert_array_equal(libraries.decode(message), given)
        assert message == none().encode(given)


@pytest.mark.parametrize(
    ("quaternion", "rotation"),
    [
        ([0, 0, 0, 1], np.eye(3)),
        ([0, 0, 0, -3], np.eye(3)),
        ([1e-9, 0, 0, 0], np.diag([1, -1, -1])),
        ([0, 0, 1, 0], np.diag([-1, -1, 1])),
        ([0, 0, HALF, HALF], [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        ([5, 5, 5, 5], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
        ([-0.5, 0.5, -0.5, 0.5], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]),
    ],
)
def test_rotations(libraries: RosLibraries, quaternion: list[float], rotation: Any) -> None:
    pose = libraries.pose(np.array([1.0, 2.0, 3.0]), np.array(quaternion, dtype=float))
    np.testing.assert_allclose(pose[:3, :3], rotation, atol=1e-12)
    np.testing.assert_array_equal(pose[:, 3], [1, 2, 3, 1])
    back = libraries.quaternion(pose)
    unit = np.array(quaternion) / np.linalg.norm(quaternion)
    np.testing.assert_allclose(abs(back @ unit), 1, atol=1e-12)
    assert back[3] >= 0


@pytest.mark.parametrize("quaternion", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [0, np.inf, 0, 1]])
def test_quaternions_that_are_no_rotation(libraries: RosLibraries, quaternion: Any) -> None:
    with pytest.raises(InputError, match="not finite with a non-zero quaternion"):
        libraries.pose(np.zeros(3), np.array(quaternion, dtype=float))
    with pytest.raises(InputError):
        libraries.pose(np.array([np.nan, 0, 0]), np.array([0.0, 0, 0, 1]))


def test_libraries_are_used_for_what_they_do_alike() -> None:
    bridge = CvBridge()
    libraries = RosLibraries(bridge, transformations())
    assert libraries.encodings == ALIKE
    assert libraries.encodes
    assert libraries.rotates
    bridge.asked.clear()
    for message in (image("bgr8"), image("bgr8", padding=5), image("rgb16"), image("nv12")):
        libraries.decode(message)
    libraries.encode(np.zeros((2, 2, 3), np.uint8))
    assert bridge.asked == ["bgr8", "to rgb8"]


def test_what_is_installed_here_is_used_likewise() -> None:
    libraries = installed()
    assert libraries.encodings == ALIKE
    assert libraries.encodes
    assert libraries.rotates


def test_libraries_that_do_not_work_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AttributeError("compiled for another NumPy")

    broken = SimpleNamespace(imgmsg_to_cv2=fail, cv2_to_imgmsg=fail)
    wxyz = transformations(quaternion_from_matrix=lambda matrix: np.array([1.0, 0, 0, 0]))
    for transforms in (wxyz, transformations(quaternion_matrix=fail)):
        libraries = RosLibraries(broken, transforms)
        assert not (libraries.encodings or libraries.encodes or libraries.rotates)
        message = image("rgb8")
        np.testing.assert_array_equal(libraries.decode(message), expected(message))
        np.testing.assert_array_equal(libraries.quaternion(np.eye(4)), [0, 0, 0, 1])
    monkeypatch.setattr(ros_libraries, "import_module", fail)
    assert installed_libraries().encodings == frozenset()
