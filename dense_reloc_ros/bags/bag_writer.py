"""Writes what one camera or several recorded as a rosbag2 (mcap) that ROS 2 plays."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dense_reloc_ros.bags.topics import (
    BASE_FRAME,
    CAMERA_FRAME,
    DEPTH_TOPIC,
    GROUND_TRUTH_TOPIC,
    LATCHED,
    MAIN_CAMERA,
    MAP_FRAME,
    T_BODY_OPTICAL,
    TF_STATIC_TOPIC,
    TF_TOPIC,
    CameraTopics,
)
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import to_quaternion
from dense_reloc_ros.stamps import NANOSECONDS


class BagWriter:
    """Writes a new bag; it appears under its name only once it is complete.

    Stamps are nanoseconds, and a message is also recorded at its stamp. Every image comes with a
    camera_info of the same stamp.

    Raises:
        InputError: a path that exists already or cannot be written to.
    """

    def __init__(
        self, path: Path, camera: Camera, others: Mapping[str, Camera] = MappingProxyType({})
    ) -> None:
        """`others` are further cameras by name; images are those of `camera` if none is named."""
        self._path = path
        self._cameras = {MAIN_CAMERA: camera, **others}
        self._typestore = get_typestore(Stores.ROS2_JAZZY)
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        if self._path.exists():
            raise InputError(f"{self._path}: exists already, bags are not overwritten")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary = Path(tempfile.mkdtemp(prefix=".bag-", dir=self._path.parent))
            # The bag's own name, because its files are named after it.
            self._writer = Writer(
                self._temporary / self._path.name,
                version=Writer.VERSION_LATEST,
                storage_plugin=StoragePlugin.MCAP,
            )
            self._writer.open()
        except OSError as error:
            raise InputError(f"{self._path}: the bag cannot be written: {error}") from None
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._writer.__exit__(*error)
            if error[0] is None:
                (self._temporary / self._path.name).rename(self._path)
        except OSError as failure:
            raise InputError(f"{self._path}: the bag cannot be written: {failure}") from None
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def write_image(self, stamp: int, image: NDArray[np.uint8], camera: str = MAIN_CAMERA) -> None:
        """Writes an RGB image (H, W, 3) of a camera, uncompressed, and its camera_info.

        Raises:
            InputError: an image of another size than the camera's.
        """
        self._cameras[camera].check_image(image)
        topics = CameraTopics(camera)
        self._write_pixels(topics.image, topics.frame, stamp, image, "rgb8")
        self._write_camera_info(stamp, camera)

    def write_compressed_image(
        self, stamp: int, data: bytes, image_format: str, camera: str = MAIN_CAMERA
    ) -> None:
        """Writes an image of a camera that is encoded already, byte by byte, and its camera_info.

        `image_format` is jpeg or png.
        """
        topics = CameraTopics(camera)
        message = self._type("sensor_msgs/msg/CompressedImage")(
            header=self._header(stamp, topics.frame),
            format=image_format,
            data=np.frombuffer(data, dtype=np.uint8),
        )
        self._write(topics.compressed, stamp, message)
        self._write_camera_info(stamp, camera)

    def write_depth(self, stamp: int, depth: NDArray[np.float32]) -> None:
        """Writes depth (H, W) in metres, registered to the main camera's image, as millimetres."""
        limit = np.iinfo(np.uint16).max
        millimetres = np.rint(depth * 1000.0)
        millimetres = np.where(millimetres < limit, millimetres, 0).astype("<u2")
        self._write_pixels(DEPTH_TOPIC, CAMERA_FRAME, stamp, millimetres, "16UC1")

    def write_ground_truth(
        self, stamp: int, T_map_camera: FloatArray, topic: str = GROUND_TRUTH_TOPIC
    ) -> None:
        """Writes the true pose (4, 4) of the camera's optical frame."""
        message = self._type("geometry_msgs/msg/PoseStamped")(
            header=self._header(stamp, MAP_FRAME),
            pose=self._type("geometry_msgs/msg/Pose")(
                position=self._position("geometry_msgs/msg/Point", T_map_camera),
                orientation=self._quaternion(T_map_camera),
            ),
        )
        self._write(topic, stamp, message)

    def write_tf(self, stamp: int, parent: str, child: str, T_parent_child: FloatArray) -> None:
        """Writes a transform (4, 4) that changes with time, as odometry does."""
        transform = self._transform(stamp, parent, child, T_parent_child)
        self._write(TF_TOPIC, stamp, self._transforms([transform]))

    def write_static_tf(
        self,
        stamp: int,
        parent: str = BASE_FRAME,
        child: str = CAMERA_FRAME,
        T_parent_child: FloatArray = T_BODY_OPTICAL,
    ) -> None:
        """Writes a transform (4, 4) that holds all the time: where the camera sits on the robot."""
        self.write_mounts(stamp, {child: T_parent_child}, parent)

    def write_mounts(
        self, stamp: int, mounts: Mapping[str, FloatArray], parent: str = BASE_FRAME
    ) -> None:
        """Writes transforms (4, 4) that hold all the time, by their child frames.

        In one message: who comes late gets the last one only.
        """
        transforms = [self._transform(stamp, parent, *mount) for mount in mounts.items()]
        self._write(TF_STATIC_TOPIC, stamp, self._transforms(transforms))

    def _write_pixels(
        self, topic: str, frame: str, stamp: int, pixels: NDArray[Any], encoding: str
    ) -> None:
        data = np.ascontiguousarray(pixels)
        message = self._type("sensor_msgs/msg/Image")(
            header=self._header(stamp, frame),
            height=data.shape[0],
            width=data.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=data.strides[0],
            data=data.view(np.uint8).ravel(),
        )
        self._write(topic, stamp, message)

    def _write_camera_info(self, stamp: int, name: str) -> None:
        camera, topics = self._cameras[name], CameraTopics(name)
        projection = np.hstack([camera.matrix, np.zeros((3, 1))])
        region = self._type("sensor_msgs/msg/RegionOfInterest")
        message = self._type("sensor_msgs/msg/CameraInfo")(
            header=self._header(stamp, topics.frame),
            height=camera.height,
            width=camera.width,
            distortion_model=camera.distortion_model,
            d=np.array(camera.distortion, dtype=np.float64),
            k=camera.matrix.ravel(),
            r=np.reshape(camera.rectification or np.eye(3), 9),
            p=projection.ravel(),
            binning_x=0,
            binning_y=0,
            roi=region(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
        )
        self._write(topics.info, stamp, message)

    def _transform(self, stamp: int, parent: str, child: str, T_parent_child: FloatArray) -> Any:
        return self._type("geometry_msgs/msg/TransformStamped")(
            header=self._header(stamp, parent),
            child_frame_id=child,
            transform=self._type("geometry_msgs/msg/Transform")(
                translation=self._position("geometry_msgs/msg/Vector3", T_parent_child),
                rotation=self._quaternion(T_parent_child),
            ),
        )

    def _transforms(self, transforms: Sequence[Any]) -> Any:
        return self._type("tf2_msgs/msg/TFMessage")(transforms=list(transforms))

    def _header(self, stamp: int, frame: str) -> Any:
        seconds, nanoseconds = divmod(stamp, NANOSECONDS)
        time = self._type("builtin_interfaces/msg/Time")(sec=seconds, nanosec=nanoseconds)
        return self._type("std_msgs/msg/Header")(stamp=time, frame_id=frame)

    def _position(self, type_name: str, transform: FloatArray) -> Any:
        x, y, z = (float(value) for value in transform[:3, 3])
        return self._type(type_name)(x=x, y=y, z=z)

    def _quaternion(self, transform: FloatArray) -> Any:
        x, y, z, w = (float(value) for value in to_quaternion(transform))
        return self._type("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)

    def _type(self, name: str) -> Any:
        return self._typestore.types[name]

    def _write(self, topic: str, stamp: int, message: Any) -> None:
        type_name = message.__msgtype__
        if topic not in self._connections:
            profiles = [LATCHED] if topic == TF_STATIC_TOPIC else []
            self._connections[topic] = self._writer.add_connection(
                topic, type_name, typestore=self._typestore, offered_qos_profiles=profiles
            )
        data = self._typestore.serialize_cdr(message, type_name)
        try:
            self._writer.write(self._connections[topic], stamp, data)
        except OSError as error:
            raise InputError(f"{self._path}: the bag cannot be written: {error}") from None
