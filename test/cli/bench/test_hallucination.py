from __future__ import annotations

import torch
from gallery import CAMERA, KEYFRAME_YAWS, Gallery, looking
from safetensors.torch import save_file

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.neurhal.hallucinator_weights import create_hallucinator
from dense_reloc_ros.rendering.recording import write_mapping


def test_tasks_and_poses_are_printed_of_each_scene(gallery: Gallery, tmp_path, capsys):
    torch.manual_seed(0)
    weights = tmp_path / "weights.safetensors"
    save_file(create_hallucinator("neurhal_compact").state_dict(), weights)
    poses = [looking(yaw) for yaw in KEYFRAME_YAWS]
    write_mapping(tmp_path / "scene" / "map", gallery._raycaster, CAMERA, poses, 0)
    command = ["bench", "hallucination", str(tmp_path / "scene"), "--pairs", "1", "--alone"]
    assert main([*command, "--set", f"neurhal.weights={weights}"]) == 0
    printed = capsys.readouterr().out
    assert "outpaint" in printed and "a uniform map" in printed
    assert "6.64" in printed
    assert "RE, γ 50%" in printed and "2%-5%" in printed
