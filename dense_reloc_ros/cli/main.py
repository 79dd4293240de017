"""The `dense-reloc` command."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

COMMANDS = ("demo", "map", "bag", "localize", "replay", "bench", "train")
"""In the order of the help text; each is the module of this package that registers it."""
FAILED = 2
"""Exit status for anything that the user can put right."""
NOBODY_READS = 141
"""What shells report for a command whose output nobody reads any more."""
INTERRUPTED = 130
"""What shells report for a command that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line (by default that of the process); returns the exit status.

    What the user can put right is one line on stderr and exit status 2.
    """
    from dense_reloc_ros.errors import RelocError
    from dense_reloc_ros.processors import share_processors

    try:
        arguments = parser().parse_args(argv)
        share_processors(arguments.threads)
        logging.basicConfig(
            level=logging.INFO if arguments.verbose else logging.WARNING,
            format="dense-reloc: %(levelname)s: %(message)s",
        )
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
    top = argparse.ArgumentParser(
        prog="dense-reloc", description="Where a camera is in a place mapped before."
    )
    top.add_argument("--verbose", action="store_true", help="log what is done")
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


def _threads(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one thread must compute")
    return number


if __name__ == "__main__":
    sys.exit(main())
