"""Turns a folder in the layout of 7-Scenes into a bag."""

from __future__ import annotations

from pathlib import Path

from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.progress import show_progress

IMAGE_FORMATS = {".png": "png", ".jpg": "jpeg"}


def create_bag(
    folder: Path, camera: Camera, bag: Path, *, compressed: bool = False, depth: bool = False
) -> int:
    """Writes the frames of a folder with what is known about them, and says how many there are.

    `compressed` copies the image files byte by byte instead of decoding them.

    Raises:
        InputError: a folder or an image that cannot be used, images of another size than the
            camera's, `depth` without depth images, or a bag that exists or cannot be written.
    """
    frames = read_seven_scenes(folder, camera)
    with BagWriter(bag, camera) as writer:
        writer.write_static_tf(frames[0].stamp)
        for frame in show_progress(frames, "writing the bag"):
            stamp = frame.stamp
            if frame.T_map_camera is not None:
                writer.write_ground_truth(stamp, frame.T_map_camera)
            # Decoded in either case: a damaged file must not get into a bag.
            image = frame.load_image()
            if compressed:
                file = _image_file(folder, frame)
                writer.write_compressed_image(stamp, file.read_bytes(), IMAGE_FORMATS[file.suffix])
            else:
                writer.write_image(stamp, image)
            if depth:
                metres = frame.load_depth()
                if metres is None:
                    raise InputError(f"{folder / frame.name}: there is no depth image")
                writer.write_depth(stamp, metres)
    return len(frames)


def _image_file(folder: Path, frame: SourceFrame) -> Path:
    """The file that `read_seven_scenes` takes for the frame: the PNG where there are both."""
    files = [folder / f"{frame.name}.color{suffix}" for suffix in IMAGE_FORMATS]
    return next(file for file in files if file.exists())
