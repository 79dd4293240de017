from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from dense_reloc_ros.errors import InputError, TrainingError
from dense_reloc_ros.training.checkpoints import Checkpoints, read_checkpoint, write_checkpoint


def test_what_was_saved_is_read(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    write_checkpoint(checkpoints.last, {"step": 3, "weights": torch.arange(4.0)})
    write_checkpoint(checkpoints.best, {"step": 2})
    state = read_checkpoint(tmp_path / "last.pt")
    assert state["step"] == 3
    assert torch.equal(state["weights"], torch.arange(4.0))
    assert read_checkpoint(tmp_path / "best.pt")["step"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "last.pt"]


def test_writing_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    write_checkpoint(checkpoints.last, {"step": 3})

    def fail(state, file):
        file.write(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(TrainingError, match=r"last\.pt: cannot be written \(No space"):
        write_checkpoint(checkpoints.last, {"step": 4})
    assert read_checkpoint(tmp_path / "last.pt")["step"] == 3


class RunsCode:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_checkpoints_cannot_run_code(tmp_path):
    write_checkpoint(tmp_path / "last.pt", {"bad": RunsCode(tmp_path / "made")})
    with pytest.raises(InputError, match=r"last.pt: not a readable checkpoint"):
        read_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "made").exists()


def test_what_is_no_checkpoint_is_an_error_of_one_line(tmp_path):
    path = tmp_path / "last.pt"
    with pytest.raises(InputError, match=r"last.pt: no such checkpoint"):
        read_checkpoint(path)
    write_checkpoint(tmp_path / "last.pt", {"weights": torch.zeros(1000)})
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a readable checkpoint") as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(InputError, match="not a checkpoint of `dense-reloc train`"):
        read_checkpoint(path)
    torch.save({"format": 99}, path)
    with pytest.raises(InputError, match="of format 99"):
        read_checkpoint(path)
