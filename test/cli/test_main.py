"""What all commands share: errors, exit statuses, a quick start."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

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
