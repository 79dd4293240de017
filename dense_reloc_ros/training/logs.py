"""What a training run shows while it goes on: progress bar, TensorBoard, validation curve."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dense_reloc_ros.training.run_progress import CurvePoint, curve_as_csv

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)

TERMINAL_SECONDS, FILE_SECONDS = 0.2, 30.0
"""Between two updates of the progress bar."""


class TrainingLog:
    """Writes `validation.csv` and `tensorboard/` in a folder, and a progress bar on stderr.

    A context; `step` is where a resumed run goes on: TensorBoard forgets what it saw after it.
    `steps` are those of the whole run, None where its time ends it.
    """

    def __init__(self, folder: Path, step: int, steps: int | None) -> None:
        self._curve_path = folder / "validation.csv"
        self._writer = _summary_writer(folder / "tensorboard", step)
        self._bar = tqdm(
            initial=step,
            total=steps,
            unit="step",
            dynamic_ncols=True,
            mininterval=TERMINAL_SECONDS if sys.stderr.isatty() else FILE_SECONDS,
        )

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
        if self._writer is not None:
            self._writer.close()

    def step(self, step: int, loss: float, numbers: Mapping[str, float]) -> None:
        """After a step: its loss and whatever explains it."""
        self._bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        self._bar.update()
        if self._writer is not None:
            for name, value in {"loss": loss, **numbers}.items():
                self._writer.add_scalar(f"training/{name}", value, step)

    def validation(self, curve: Sequence[CurvePoint]) -> None:
        """After a validation, the last point of the curve."""
        last = curve[-1]
        metrics = "  ".join(f"{name} {value:.4g}" for name, value in last.metrics.items())
        self._bar.write(f"step {last.step}: {metrics}", file=sys.stderr)
        if self._writer is not None:
            for name, value in last.metrics.items():
                self._writer.add_scalar(f"validation/{name}", value, last.step)
            self._writer.flush()
        temporary = self._curve_path.with_suffix(".writing")
        temporary.write_text(curve_as_csv(curve))
        temporary.replace(self._curve_path)


def _summary_writer(folder: Path, step: int) -> SummaryWriter | None:
    # Imported here: robots do without it.
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.warning("no TensorBoard logs: the package tensorboard is not installed")
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
