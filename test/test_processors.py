"""Threads that leave a busy machine its share: what is set, and what the environment keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from dense_reloc_ros.processors import WAITING, share_processors

OPENMP = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "OPENCV_")
REPORT = """
import json, os, sys
from dense_reloc_ros.cli import main as command

def report(arguments):
    import cv2, torch
    print(json.dumps([torch.get_num_threads(), cv2.getNumThreads(), dict(os.environ)]))
    return 0

import dense_reloc_ros.cli.demo as demo
demo.run = report
sys.exit(command.main(sys.argv[1:]))
"""


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(OPENMP):
            monkeypatch.delenv(name)
    for name in (*WAITING, "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        monkeypatch.setenv(name, "")  # so that what is set here ends with the test
        monkeypatch.delenv(name)


def in_command(*arguments: str) -> tuple[int, int, dict[str, str]]:
    """Threads of PyTorch and OpenCV, and the environment, while a command runs."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments, "demo", "--output", "nowhere"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.usefixtures("clean_environment")
def test_a_command_computes_with_as_many_threads_as_it_is_told() -> None:
    torch_threads, opencv_threads, environment = in_command("--threads", "1")
    assert (torch_threads, opencv_threads) == (1, 1)
    assert environment.items() >= WAITING.items()


@pytest.mark.usefixtures("clean_environment")
def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    torch_threads, _, environment = in_command("--threads", "1")
    assert torch_threads == 2
    assert environment["OMP_WAIT_POLICY"] == "active"
    assert "KMP_BLOCKTIME" not in environment


@pytest.mark.usefixtures("clean_environment")
def test_without_a_number_only_the_waiting_is_set() -> None:
    before = dict(os.environ)
    share_processors()
    share_processors()
    assert dict(os.environ) == before | WAITING


@pytest.mark.parametrize("threads", ["0", "-1", "some"])
def test_a_number_of_threads_that_makes_no_sense_is_refused(
    threads: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from dense_reloc_ros.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["--threads", threads, "demo"])
    assert ended.value.code == 2
    assert "--threads" in capsys.readouterr().err
