"""Random weights in the files that others publish: what the code does does not depend on them."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import vgg16

from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.features.networks import create_network


def random_state(module: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Values of the size that keeps activations alive, by the names of a module's state."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in module.state_dict().items():
        if tensor.ndim > 1:
            deviation = (2 / tensor[0].numel()) ** 0.5
            state[name] = torch.randn(tensor.shape, generator=generator) * deviation
        elif name.endswith(("norm.weight", "bn.weight", "running_var")):
            state[name] = 0.5 + torch.rand(tensor.shape, generator=generator)
        elif tensor.is_floating_point():
            state[name] = 0.1 * torch.randn(tensor.shape, generator=generator)
        else:
            state[name] = torch.zeros_like(tensor, device="cpu")
    return state


def vgg16_state() -> dict[str, Tensor]:
    """The state of torchvision's `vgg16`, without its large classifier."""
    with torch.device("meta"):
        features = vgg16().features
    return {f"features.{name}": tensor for name, tensor in random_state(features).items()}


def write_vgg16_weights(path: Path) -> None:
    """Writes such a state as torchvision's file has it."""
    torch.save(vgg16_state(), path)


def write_weights(network: FeatureNetwork, path: Path) -> None:
    """Writes the weights of a network as training exports them."""
    save_file(network.state_dict(), path, metadata={"network": network.name})


def write_random_weights(name: str, folder: Path, seed: int = 0) -> Path:
    """Writes weights for a network of the registry, those of s2dhm as ImageNet's; their file."""
    path = folder / f"{name}-{seed}.{'pth' if name == 's2dhm' else 'safetensors'}"
    if name == "s2dhm":
        write_vgg16_weights(path)
        return path
    network = create_network(name)
    network.load_state_dict(random_state(network, seed))
    write_weights(network, path)
    return path
