"""How many processors the computing takes, and what its threads do while they wait.

OpenMP's threads spin while they wait for each other. Beside another busy process one of them stands
in the queue for a processor while the others spin on theirs, and a frame takes several times as
long. Threads that sleep instead cost an idle machine little, and a busy one no more than its share.
"""

from __future__ import annotations

import os

THREADS = "OMP_NUM_THREADS"
WAITING = {
    "OMP_WAIT_POLICY": "passive",  # GNU's, which PyTorch brings
    "KMP_BLOCKTIME": "0",  # Intel's and LLVM's: milliseconds of spinning
}


def share_processors(threads: int | None = None) -> None:
    """Sets what OpenMP, OpenCV and BLAS read when they are loaded, here and in child processes.

    Call it before. Whatever the environment says already about threads or about waiting holds.
    """
    if not WAITING.keys() & os.environ.keys():
        os.environ.update(WAITING)
    if threads is not None and THREADS not in os.environ:
        # OpenBLAS reads OMP_NUM_THREADS as well.
        os.environ.update({THREADS: str(threads), "OPENCV_FOR_THREADS_NUM": str(threads)})


def limit_threads(threads: int) -> None:
    """Computes with so many threads from now on, in a process that computes already.

    Whatever the environment says holds.
    """
    import cv2
    import torch

    if THREADS not in os.environ:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
