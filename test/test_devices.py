"""Devices by name, on machines with and without a GPU."""

from __future__ import annotations

import pytest
import torch

from dense_reloc_ros.devices import find_device
from dense_reloc_ros.errors import ConfigurationError


def pretend_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_auto_is_a_gpu_where_there_is_one(monkeypatch):
    pretend_gpus(monkeypatch, 0)
    assert find_device("auto") == torch.device("cpu")
    pretend_gpus(monkeypatch, 1)
    assert find_device("auto") == torch.device("cuda")


def test_devices_have_their_names(monkeypatch):
    pretend_gpus(monkeypatch, 2)
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("cuda") == torch.device("cuda")
    assert find_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(("name", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
def test_gpus_that_are_not_there_are_refused(name, count, monkeypatch):
    pretend_gpus(monkeypatch, count)
    with pytest.raises(ConfigurationError, match=f"'{name}' is not there"):
        find_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "meta", "vulkan"])
def test_other_names_are_refused_with_those_that_exist(name):
    with pytest.raises(ConfigurationError, match=r"auto, cpu, cuda or cuda:N"):
        find_device(name)
