"""How many tensor operations a frame takes, and how often the processor waits for the device.

Both are counted on the processor, so that no GPU is needed to know what one would have to do: where
the arithmetic is small, they are what a frame's time on a GPU is made of.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_any

from dense_reloc_ros.evaluation.benchmarks.systems import System
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.progress import show_progress

BETWEEN = "between stages"
TO_HOST = frozenset({"cpu", "tolist", "numpy", "item", "__bool__", "__float__", "__int__"})
"""Methods that wait until the values of a tensor are known to the processor."""
OF_UNKNOWN_SIZE = frozenset(
    {
        "argwhere",
        "bincount",
        "masked_select",
        "nonzero",
        "repeat_interleave",
        "segment_reduce",
        "unique",
    }
)
"""Functions that wait as the size of their result depends on values, or as they check these."""
CHECKED = frozenset({"eigh", "inv", "linalg_eigh", "linalg_inv", "linalg_pinv", "pinv", "solve"})
"""Functions that wait to see whether they succeeded."""


class Counts(BaseModel):
    """Tensor operations and synchronizations of a frame, or of one of its stages."""

    model_config = ConfigDict(frozen=True)

    operations: int
    """All that are dispatched, views among them."""
    synchronizations: int
    """Times that the processor must know a value, or a size that depends on one."""


class FrameOperations(BaseModel):
    """What one frame took."""

    model_config = ConfigDict(frozen=True)

    frame: str
    places: int
    """Times that a pose was looked for among the points of some keyframes."""
    stages: dict[str, Counts]

    @property
    def whole(self) -> Counts:
        """All stages together."""
        return Counts(
            operations=sum(stage.operations for stage in self.stages.values()),
            synchronizations=sum(stage.synchronizations for stage in self.stages.values()),
        )


class OperationsResult(BaseModel):
    """The operations of a method's frames."""

    model_config = ConfigDict(frozen=True)

    method: str
    map: str
    keyframes: int
    """Of the map."""
    frames: list[FrameOperations]
    batch: int
    """Images that were localized at once besides."""
    batch_operations: float
    """Of one of them, on average; so is the next."""
    batch_synchronizations: float


def count_operations(
    systems: Sequence[System], frames: Sequence[SourceFrame], batch: int = 8
) -> list[OperationsResult]:
    """Each system on each frame alone, and on the first ones, up to `batch`, at once.

    Raises:
        InputError: frames that cannot be read.
    """
    results = []
    for system in systems:
        counted = []
        for frame in show_progress(frames, system.method, "frame"):
            image = frame.load_image()
            with operations_counted() as counter:
                system.localizer.localize(image, frame.camera)
            counted.append(counter.frame(frame.name))
        images = [(frame.load_image(), frame.camera) for frame in frames[:batch]]
        with operations_counted() as counter:
            deque(system.localizer.localize_many(images, len(images)), maxlen=0)
        together = counter.frame("all").whole
        results.append(
            OperationsResult(
                method=system.method,
                map=str(system.map),
                keyframes=system.keyframes,
                frames=counted,
                batch=len(images),
                batch_operations=together.operations / len(images),
                batch_synchronizations=together.synchronizations / len(images),
            )
        )
    return results


class OperationCounter:
    """Operations and synchronizations by stage, while `operations_counted` lasts."""

    def __init__(self) -> None:
        self.operations: Counter[str] = Counter()
        self.synchronizations: Counter[str] = Counter()
        self.entered: Counter[str] = Counter()
        self.is_paused = False
        """While tensors are marked, which is no work of the frame."""
        self._stages = [BETWEEN]

    @property
    def stage(self) -> str:
        return self._stages[-1]

    def enter(self, stage: str) -> None:
        self._stages.append(stage)
        self.entered[stage] += 1

    def leave(self) -> None:
        self._stages.pop()

    def frame(self, name: str) -> FrameOperations:
        """What was counted, as the result of a frame."""
        stages = {
            stage: Counts(
                operations=self.operations[stage], synchronizations=self.synchronizations[stage]
            )
            for stage in (*self.entered, BETWEEN)
        }
        return FrameOperations(frame=name, places=self.entered["pose"], stages=stages)


@contextmanager
def operations_counted() -> Iterator[OperationCounter]:
    """Counts what is done on tensors inside the `with` block, by the stages of stopwatches.

    For synchronizations the processor plays the device: what `Tensor.to(device)` or a factory with
    a device gives is on it, and so is all that is computed from it, until `Tensor.cpu`, `tolist` or
    a number is asked for. `Tensor.to("cpu")` is a copy that nobody waits for yet (`to_processor`).
    """
    counter = OperationCounter()
    with _Synchronizations(counter), _Operations(counter):
        yield counter


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is dispatched; `torch.profiler.record_function` names the stages."""

    def __init__(self, counter: OperationCounter) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._counter = counter

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = func.name()
        if name.startswith("profiler::"):
            if "enter" in name:
                self._counter.enter(args[0])
            else:
                self._counter.leave()
        elif not self._counter.is_paused:
            self._counter.operations[self._counter.stage] += 1
        return func(*args, **(kwargs or {}))


class _Synchronizations(TorchFunctionMode):
    """Follows which tensors would be on the device, and counts when one is waited for."""

    def __init__(self, counter: OperationCounter) -> None:
        super().__init__()
        self._counter = counter

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        given = (args, kwargs)
        onto = any(isinstance(value, torch.device) for value in (*args, *kwargs.values()))
        if not onto and not tree_any(_is_on_device, given):
            return func(*args, **kwargs)
        if _waits(name, args):
            self._counter.synchronizations[self._counter.stage] += 1
        result = func(*args, **kwargs)
        self._counter.is_paused = True
        try:
            if name == "cpu" or (name == "to" and "cpu" in args):
                return result.view_as(result)
            return _on_device(result)
        finally:
            self._counter.is_paused = False


def _waits(name: str, args: tuple[Any, ...]) -> bool:
    if name in ("__getitem__", "__setitem__"):
        return tree_any(lambda index: _is_on_device(index) and index.dtype == torch.bool, args[1])
    return name in TO_HOST or name in OF_UNKNOWN_SIZE or name in CHECKED


def _is_on_device(value: Any) -> bool:
    return isinstance(value, Tensor) and getattr(value, "_is_on_device", False)


def _on_device(result: Any) -> Any:
    """The tensors of a result, known to be on the device; others where they are the map's own."""
    if isinstance(result, tuple | list) and any(isinstance(value, Tensor) for value in result):
        return type(result)([_on_device(value) for value in result])
    if isinstance(result, Tensor) and not _is_on_device(result):
        result = result.view_as(result)
        result._is_on_device = True
    return result
