import json
from pathlib import Path

import pytest
from PIL import Image

from dense_reloc_ros.cli import demo
from dense_reloc_ros.cli.main import main
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.rendering import demonstration
from dense_reloc_ros.rendering.demonstration import DemonstrationFolder


def test_a_folder_with_other_files_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert main(["demo", "--output", str(tmp_path)]) == 2
    assert "other files" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_earlier_demonstration_is_cleared_but_nothing_beside_it(tmp_path):
    folder = DemonstrationFolder(tmp_path / "new" / "demo")
    folder.clear()
    for made in (folder.mapping, folder.map, folder.bag, folder.report):
        made.mkdir()
        (made / "old").touch()
    (folder.path / "notes.txt").write_text("mine")
    folder.clear()
    assert not any(made.exists() for made in (folder.mapping, folder.map, folder.bag))
    assert (folder.path / "notes.txt").read_text() == "mine"


def test_a_path_that_is_a_file_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be written to"):
        DemonstrationFolder(tmp_path / "file").clear()


@pytest.mark.parametrize("frames", ["0", "-3", "many"])
def test_a_video_needs_frames(frames, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["demo", "--output", str(tmp_path / "demo"), "--frames", frames])
    assert exit_.value.code == 2
    assert "--frames" in capsys.readouterr().err


def check_demonstration(folder: Path) -> None:
    """What a demonstration must reach; the room is well lit and full of texture."""
    report = json.loads((folder / "report" / "report.json").read_text())
    assert report["frames"] == 12
    assert report["wrong"] == 0
    assert report["recall"]["5cm_5deg"] >= 0.9
    assert report["median_translation_m"] < 0.02
    transform = report["map_to_odom"]
    assert transform["frames"] >= 11
    assert transform["worst_translation_m"] < 0.05
    assert transform["worst_rotation_deg"] < 1.0
    assert (folder / "report" / "report.html").stat().st_size > 10_000
    with Image.open(folder / "demo.png") as picture:
        assert picture.width > picture.height > 300
    assert (folder / "demo.png").stat().st_size < 300_000


@pytest.mark.slow
def test_without_ros_the_localizer_runs_by_itself_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "_why_no_ros", lambda: "nobody sourced it")
    monkeypatch.setattr(demonstration, "KEYFRAMES", 30)
    assert main(["demo", "--output", str(tmp_path / "demo"), "--frames", "12"]) == 0
    shown = capsys.readouterr().out
    assert "nobody sourced it" in shown
    assert "$ dense-reloc localize --fusion" in shown
    assert str(tmp_path / "demo" / "report" / "report.html") in shown
    check_demonstration(tmp_path / "demo")


@pytest.mark.slow
@pytest.mark.ros
def test_the_nodes_localize_the_video(tmp_path, capsys):
    assert main(["demo", "--output", str(tmp_path / "demo"), "--frames", "12"]) == 0
    assert "$ dense-reloc replay --lockstep --fusion" in capsys.readouterr().out
    check_demonstration(tmp_path / "demo")
