"""The `dense-reloc` command."""  # PYTHON_ARGCOMPLETE_OK

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from dense_reloc_ros import __version__

COMMANDS = ("demo", "map", "bag", "localize", "replay", "view", "bench", "train")
"""In the order of the help text; each is the module of this package that registers it."""
COMPLETION = "_ARGCOMPLETE"
"""Variable of the environment by which a shell asks for completions."""
FAILED = 2
"""Exit status for anything that the user can put right."""
NOBODY_READS = 141
"""What shells report for a command whose output nobody reads any more."""
INTERRUPTED = 130
"""What shells report for a command that Ctrl-C ended."""


class OneLineParser(argparse.ArgumentParser):
    """Says in one line what is wrong with a command line, as all errors are told."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAILED, f"dense-reloc: error: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line (by default that of the process); returns the exit status.

    What the user can put right is one line on stderr and exit status 2.
    """
    from dense_reloc_ros.errors import RelocError
    from dense_reloc_ros.notices import configure_logging
    from dense_reloc_ros.processors import share_processors

    try:
        top = parser()
        if COMPLETION in os.environ:
            complete(top)
        arguments = top.parse_args(argv)
        share_processors(arguments.threads)
        configure_logging(verbose=bool(arguments.verbose), quiet=arguments.verbose is None)
        status = int(arguments.run(arguments))
        sys.stdout.flush()
        return status
    except RelocError as error:
        print(f"dense-reloc: error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("dense-reloc: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # As `| head` leaves it; Python would say so once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = OneLineParser(
        prog="dense-reloc", description="Where a camera is in a place mapped before."
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    loudness = top.add_mutually_exclusive_group()
    loudness.add_argument("--verbose", action="store_true", help="log what is done")
    loudness.add_argument(
        "--quiet",
        action="store_const",
        dest="verbose",
        const=None,
        help="no progress and no warnings, errors only",
    )
    top.add_argument(
        "--threads",
        type=_threads,
        metavar="N",
        help="threads that compute on the processor (default: one for each; OMP_NUM_THREADS in the "
        "environment wins)",
    )
    subparsers = top.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"dense_reloc_ros.cli.{name}").register(subparsers)
    return top


def complete(top: argparse.ArgumentParser) -> None:
    """Answers the shell, which asks what may follow, and ends the process.

    `eval "$(register-python-argcomplete dense-reloc)"` makes bash or zsh ask.
    """
    import argcomplete

    argcomplete.autocomplete(top)


def _threads(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one thread must compute")
    return number


if __name__ == "__main__":
    sys.exit(main())
