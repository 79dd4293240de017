from __future__ import annotations

from pathlib import Path

import pytest

from dense_reloc_ros.cli.main import main, parser
from dense_reloc_ros.geometry.trajectory import Trajectory

REQUIRED = ["replay", "--map", "m", "--bag", "b", "--output", "o"]


@pytest.fixture
def replayed(monkeypatch) -> list:
    """What the replay was asked for."""
    from dense_reloc_ros.cli import report_table
    from dense_reloc_ros.evaluation.report import replay_report

    asked: list = []
    monkeypatch.setattr(replay_report, "replay_and_report", lambda *given: asked.append(given))
    monkeypatch.setattr(report_table, "print_report", lambda summary, folder: None)
    return asked


@pytest.mark.parametrize(
    ("options", "rate"), [([], 1.0), (["--rate", "0.5"], 0.5), (["--lockstep"], None)]
)
def test_pace(replayed, options, rate):
    assert main([*REQUIRED, *options]) == 0
    ((replay_options, folder, ground_truth),) = replayed
    assert (replay_options.rate, folder, ground_truth) == (rate, Path("o"), None)
    assert not replay_options.fusion


def test_what_is_given_goes_to_the_node(replayed, tmp_path: Path):
    truth = tmp_path / "truth.tum"
    truth.write_text("1 0 0 0 0 0 0 1\n")
    given = ["--method", "re", "--device", "cpu", "--params-file", "p.yaml", "--timeout", "5"]
    given += ["--weights", "w.safetensors", "--fusion", "--other-cameras", "/rear/i", "/left/i"]
    assert main([*REQUIRED, *given, "--ground-truth", str(truth), "--image-topic", "/i"]) == 0
    ((options, _, ground_truth),) = replayed
    assert (options.method, options.device, options.timeout) == ("re", "cpu", 5.0)
    assert options.weights == Path("w.safetensors")
    assert options.fusion
    assert options.other_cameras == ("/rear/i", "/left/i")
    assert (options.parameter_file, options.image_topic) == (Path("p.yaml"), "/i")
    assert isinstance(ground_truth, Trajectory)


@pytest.mark.parametrize(
    "options", [["--rate", "0"], ["--rate", "-1"], ["--rate", "nan"], ["--rate", "2", "--lockstep"]]
)
def test_paces_that_make_no_sense_are_refused(options, capsys):
    with pytest.raises(SystemExit) as caught:
        parser().parse_args([*REQUIRED, *options])
    assert caught.value.code == 2


def test_a_missing_map_is_one_line(tmp_path: Path, capsys):
    missing = str(tmp_path / "missing")
    assert main(["replay", "--map", missing, "--bag", "b", "--output", str(tmp_path / "o")]) == 2
    assert capsys.readouterr().err == f"dense-reloc: error: {missing}: no such map\n"
