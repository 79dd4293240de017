"""`dense-reloc train` with a real network, loss and data, as small as they get."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.features.networks import create_network
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.training.checkpoints import read_checkpoint

CONFIGURATION = """
network: compact
image_size: [64, 96]
points: 16
data: [{source: {kind: warps, pictures: [coffee, astronaut]}}]
losses: [{loss: {name: nre}}]
optimizer: {learning_rate: 0.001, largest_gradient: 1.0}
schedule: {name: cosine}
batch_size: 2
validation:
  data: [{source: {kind: warps, pictures: [chelsea]}}]
  pairs: 2
  every: 20
run: {steps: STEPS, device: cpu, workers: 1, checkpoint_every: 1}
"""


@pytest.fixture
def configuration(tmp_path):
    """Writes a configuration of so many steps."""

    def write(steps: int) -> str:
        path = tmp_path / "tiny.yaml"
        path.write_text(CONFIGURATION.replace("STEPS", str(steps)))
        return str(path)

    return write


def weights_in(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "last.pt")["network"]


def test_train_and_export(configuration, tmp_path, capsys):
    output, weights = tmp_path / "run", tmp_path / "weights"
    arguments = ["train", configuration(2), "--output", str(output), "--export", str(weights)]
    assert main(arguments) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        f"2 steps, all steps done; the run is in {output}",
        f"{weights / 'compact.safetensors'}",
    ]
    network = create_network("compact")
    load_weights(network, weights / "compact.safetensors")
    best = read_checkpoint(output / "best.pt")
    for name, value in network.state_dict().items():
        assert torch.equal(value, best["network"][name]), name
    rows = (weights / "compact.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "0", "2"]

    # The run is not lost by a second call, and more steps go on with it.
    assert main(arguments) == 2
    assert "holds a run; --resume goes on with it" in capsys.readouterr().err
    assert main(["train", configuration(3), "--output", str(output), "--resume"]) == 0
    assert read_checkpoint(output / "last.pt")["progress"]["step"] == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_processes_resume_bit_by_bit(configuration, tmp_path, number):
    steps = 12
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["train", configuration(steps), "--output", str(whole)]) == 0

    command = [sys.executable, "-m", "dense_reloc_ros.cli.main", "train", configuration(steps)]
    command += ["--output", str(parts)]
    # Ctrl-C reaches the helper processes, too: all are one group.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 600
    while not (parts / "last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, shown = process.communicate(timeout=600)
    assert process.returncode == 130, shown
    assert "Traceback" not in shown
    last_line = shown.strip().splitlines()[-1]
    assert last_line.startswith("dense-reloc: interrupted after step ")
    assert "add --resume" in last_line
    assert 0 < read_checkpoint(parts / "last.pt")["progress"]["step"] < steps

    assert main(["train", configuration(steps), "--output", str(parts), "--resume"]) == 0
    expected, resumed = weights_in(whole), weights_in(parts)
    assert expected.keys() == resumed.keys()
    for name in expected:
        assert torch.equal(expected[name], resumed[name]), name


def test_mistakes_are_one_line(configuration, tmp_path, capsys):
    def error(*arguments: str) -> str:
        assert main(["train", *arguments, "--output", str(tmp_path / "run")]) == 2
        shown = capsys.readouterr().err.strip().splitlines()
        assert shown[-1].startswith("dense-reloc: error: ")
        return shown[-1]

    path = configuration(2)
    assert "no run to go on with" in error(path, "--resume")
    assert "unknown device 'abacus'" in error(path, "--device", "abacus")
    text = Path(path).read_text()
    Path(path).write_text(text.replace("pictures: [chelsea]", "folders: [/not/there]"))
    assert "/not/there: no such folder" in error(path)
    Path(path).write_text(text.replace("compact", "enormous"))
    assert "unknown network 'enormous'" in error(path)
    assert not (tmp_path / "run").exists()


def test_resuming_with_other_parameters_is_refused(configuration, tmp_path, capsys):
    path = configuration(1)
    arguments = ["train", path, "--output", str(tmp_path / "run")]
    assert main(arguments) == 0
    Path(path).write_text(Path(path).read_text().replace("0.001", "0.01"))
    assert main([*arguments, "--resume"]) == 2
    assert "'optimizer' is not what the run" in capsys.readouterr().err


def test_paths_are_given_by_name(configuration, tmp_path, capsys):
    path = configuration(1)
    text = Path(path).read_text().replace("pictures: [chelsea]", 'folders: ["${MINE}"]')
    Path(path).write_text(text)
    arguments = ["train", path, "--output", str(tmp_path / "run")]
    assert main([*arguments, "--path", f"MINE={tmp_path / 'nothing'}"]) == 2
    assert f"{tmp_path / 'nothing'}: no such folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--path", "MINE"])
    assert "'MINE' is not NAME=PATH" in capsys.readouterr().err
