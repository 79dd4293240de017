"""`dense-reloc train`: learns a network's weights as a configuration says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

INTERRUPTED = 130


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `train` command."""
    parser = subparsers.add_parser(
        "train",
        help="learn the weights of a network",
        description="Writes checkpoints, TensorBoard logs and the validation curve. Ctrl-C ends "
        "after the step that is going on; --resume goes on exactly there.",
    )
    add = parser.add_argument
    add("config", type=Path, metavar="CONFIG.yaml", help="see config/training")
    add(
        "--path",
        action="append",
        default=[],
        type=_named_path,
        metavar="NAME=PATH",
        help="what ${NAME} in CONFIG stands for; else the environment variable NAME. Repeatable",
    )
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the run; output/training/CONFIG by default",
    )
    add("--resume", action="store_true", help="go on with the run in that folder")
    add("--device", metavar="D", help="auto, cpu, cuda or cuda:N; CONFIG's own")
    add("--export", type=Path, metavar="DIR", help="write the best weights there in the end")
    add("--half", action="store_true", help="export weights as float16, half as large")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `train`."""
    import torch

    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.errors import ConfigurationError, TrainingError
    from dense_reloc_ros.training.export import export
    from dense_reloc_ros.training.interruption import interruption
    from dense_reloc_ros.training.logs import TrainingLog
    from dense_reloc_ros.training.run_folder import RunFolder
    from dense_reloc_ros.training.run_progress import Ending
    from dense_reloc_ros.training.run_setup import create_trainer
    from dense_reloc_ros.training.training_configuration import load_training_configuration

    if arguments.half and not arguments.export:
        raise ConfigurationError("--half goes with --export")
    configuration = load_training_configuration(arguments.config, dict(arguments.path))
    device = find_device(arguments.device or configuration.run.device)
    path = arguments.output or Path("output/training") / arguments.config.stem
    folder = RunFolder(path)
    if arguments.resume:
        folder.go_on(arguments.config)
    else:
        folder.check_new()
    trainer = create_trainer(configuration, folder.checkpoints, device, arguments.resume)
    if not arguments.resume:
        folder.begin(arguments.config)
    steps = configuration.run.steps if configuration.run.minutes is None else None
    with interruption() as interrupted, TrainingLog(path, trainer.progress.step, steps) as log:
        try:
            ending = trainer.run(log, interrupted)
        except torch.cuda.OutOfMemoryError:
            raise TrainingError(
                f"{device} has too little memory: try a smaller batch_size (with accumulation), "
                "image_size or memory_mb of the losses"
            ) from None
    if ending is Ending.INTERRUPTED:
        print(
            f"dense-reloc: interrupted after step {trainer.progress.step}; add --resume to the "
            f"same command to go on (the run is in {path})",
            file=sys.stderr,
        )
        return INTERRUPTED
    print(f"{trainer.progress.step} steps, {ending.value}; the run is in {path}")
    if arguments.export:
        print(export(folder.trained(str(device)), arguments.export, arguments.half))
    return 0


def _named_path(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=PATH")
    return name, path
