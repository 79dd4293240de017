"""Turns folders in the layout of 7-Scenes into a bag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.rig_file import OtherCamera
from dense_reloc_ros.bags.topics import CAMERA_FRAME, MAIN_CAMERA, T_BODY_OPTICAL, CameraTopics
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.progress import show_progress
from dense_reloc_ros.stamps import NANOSECONDS

IMAGE_FORMATS = {".png": "png", ".jpg": "jpeg"}


def create_bag(
    folder: Path,
    camera: Camera,
    bag: Path,
    *,
    others: Sequence[OtherCamera] = (),
    compressed: bool = False,
    depth: bool = False,
) -> int:
    """Writes the frames of a folder with what is known about them, and says how many there are.

    Images of `others` go with those of the main camera that have the same number. `compressed`
    copies the image files byte by byte instead of decoding them. Where the first image has number
    0, all stamps are one second later than their numbers say, as a stamp of 0 is none in ROS.

    Raises:
        InputError: a folder or an image that cannot be used, images of another size than their
            camera's, `depth` without depth images, a camera without an image of the main one's
            numbers, or a bag that exists or cannot be written.
    """
    frames = read_seven_scenes(folder, camera)
    beside = {other.name: _frames_beside(frames, other) for other in others}
    delay = 0 if frames[0].stamp else NANOSECONDS
    with BagWriter(bag, camera, {other.name: other.camera for other in others}) as writer:
        mounts = {
            CameraTopics(other.name).frame: T_BODY_OPTICAL @ other.T_main_camera for other in others
        }
        writer.write_mounts(frames[0].stamp + delay, {CAMERA_FRAME: T_BODY_OPTICAL, **mounts})
        for frame in show_progress(frames, "writing the bag"):
            stamp = frame.stamp + delay
            if frame.T_map_camera is not None:
                writer.write_ground_truth(stamp, frame.T_map_camera)
            _write_image(writer, stamp, folder, frame, MAIN_CAMERA, compressed)
            for other in others:
                of_other = beside[other.name].get(frame.name)
                if of_other is not None:
                    _write_image(writer, stamp, other.folder, of_other, other.name, compressed)
            if depth:
                metres = frame.load_depth()
                if metres is None:
                    raise InputError(f"{folder / frame.name}: there is no depth image")
                writer.write_depth(stamp, metres)
    return len(frames)


def _frames_beside(frames: Sequence[SourceFrame], other: OtherCamera) -> dict[str, SourceFrame]:
    """The frames of another camera by their names, some of which are those of the main one's."""
    found = {frame.name: frame for frame in read_seven_scenes(other.folder, other.camera)}
    if not any(frame.name in found for frame in frames):
        raise InputError(f"{other.folder}: no image has the number of one of the main camera's")
    return found


def _write_image(
    writer: BagWriter, stamp: int, folder: Path, frame: SourceFrame, camera: str, compressed: bool
) -> None:
    # Decoded in either case: a damaged file must not get into a bag.
    image = frame.load_image()
    if compressed:
        file = _image_file(folder, frame)
        image_format = IMAGE_FORMATS[file.suffix]
        writer.write_compressed_image(stamp, file.read_bytes(), image_format, camera)
    else:
        writer.write_image(stamp, image, camera)


def _image_file(folder: Path, frame: SourceFrame) -> Path:
    """The file that `read_seven_scenes` takes for the frame: the PNG where there are both."""
    files = [folder / f"{frame.name}.color{suffix}" for suffix in IMAGE_FORMATS]
    return next(file for file in files if file.exists())
