"""What all commands share: errors, exit statuses, a quick start."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest

from dense_reloc_ros import __version__
from dense_reloc_ros.cli import main as command
from dense_reloc_ros.errors import MapError


def run_with(monkeypatch, function) -> int:
    """Runs a made-up command."""
    parser = argparse.ArgumentParser()
    parser.set_defaults(run=function, verbose=False, threads=None)
    monkeypatch.setattr(command, "parser", lambda: parser)
    return command.main([])


def test_the_commands_exit_status_is_returned(monkeypatch, capsys):
    assert run_with(monkeypatch, lambda arguments: 0) == 0
    assert run_with(monkeypatch, lambda arguments: 3) == 3
    assert capsys.readouterr() == ("", "")


def test_errors_of_ours_are_one_line_and_status_2(monkeypatch, capsys):
    def fail(arguments: argparse.Namespace) -> int:
        raise MapError("/maps/hall: no such map")

    assert run_with(monkeypatch, fail) == 2
    assert capsys.readouterr() == ("", "dense-reloc: error: /maps/hall: no such map\n")


def test_bugs_are_not_hidden(monkeypatch):
    def fail(arguments: argparse.Namespace) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_with(monkeypatch, fail)


def test_interrupts_end_quietly(monkeypatch, capsys):
    def interrupt(arguments: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    assert run_with(monkeypatch, interrupt) == 130
    assert capsys.readouterr().err == "dense-reloc: interrupted\n"


def test_interrupts_while_the_commands_are_loaded_end_quietly(monkeypatch, capsys):
    def interrupt() -> argparse.ArgumentParser:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "parser", interrupt)
    assert command.main([]) == 130
    assert capsys.readouterr().err == "dense-reloc: interrupted\n"


@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main([name, "--help"])
    assert caught.value.code == 0
    assert f"usage: dense-reloc {name}" in capsys.readouterr().out


def test_unknown_commands_are_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(["teleport"])
    assert caught.value.code == 2
    assert "teleport" in capsys.readouterr().err


def test_help_runs_as_a_module_without_loading_torch():
    script = (
        "import runpy, sys\n"
        "sys.argv = ['dense-reloc', '--help']\n"
        "try:\n"
        "    runpy.run_module('dense_reloc_ros.cli.main', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print('status', end.code, 'torch' in sys.modules, 'rclpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "usage: dense-reloc" in done.stdout
    assert done.stdout.splitlines()[-1] == "status 0 False False"


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"dense-reloc {__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dense-reloc ma", ["map "]),
        ("dense-reloc map ", ["build", "info", "export"]),
        ("dense-reloc localize --rect", ["--rectified "]),
        ("dense-reloc localize --rectified ", ["auto", "true", "false"]),
    ],
)
def test_shells_complete_commands_and_options(words, expected, tmp_path):
    # As the functions that register-python-argcomplete defines call it.
    answer = tmp_path / "answer"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": words,
        "COMP_POINT": str(len(words)),
    }
    subprocess.run([sys.executable, "-m", "dense_reloc_ros.cli.main"], env=environment, check=True)
    assert set(expected) <= set(answer.read_text().splitlines())


def test_quiet_leaves_errors_alone(tmp_path):
    script = (
        "import logging\n"
        "from dense_reloc_ros.notices import configure_logging\n"
        "configure_logging({})\n"
        "logging.getLogger('dense_reloc_ros.progress').info('half')\n"
        "logging.getLogger('dense_reloc_ros.mapping.builder').info('detail')\n"
        "logging.getLogger('dense_reloc_ros.mapping.builder').warning('doubt')\n"
    )

    def said(options: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", script.format(options)], capture_output=True, text=True
        )
        return [line.split(": ")[-1] for line in done.stderr.splitlines()]

    assert said("") == ["half", "doubt"]
    assert said("quiet=True") == []
    assert said("verbose=True") == ["half", "detail", "doubt"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ([], "the following arguments are required: COMMAND (see dense-reloc --help)"),
        (
            ["map", "build", "--depth-scale", "nan"],
            "argument --depth-scale: nan is not a positive number (see dense-reloc map build "
            "--help)",
        ),
        (
            ["map", "build", "--frame-id", "/"],
            "argument --frame-id: the map's frame needs a name, such as map (see dense-reloc map "
            "build --help)",
        ),
    ],
)
def test_wrong_command_lines_are_one_line(capsys, line, reason):
    with pytest.raises(SystemExit) as ended:
        command.main(line)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"dense-reloc: error: {reason}\n")
