"""What commands say on stderr while they work: problems, progress, and how input was understood."""

from __future__ import annotations

import logging

FORMAT = "dense-reloc: %(levelname)s: %(message)s"
NOTICES = tuple(
    f"dense_reloc_ros.{name}" for name in ("progress", "bags", "cli", "mapping.sources")
)
"""Loggers whose information is shown unless quiet is wanted: what was decided for the user."""


def configure_logging(verbose: bool = False, quiet: bool = False) -> None:
    """Warnings and notices on stderr; everything if `verbose`, errors alone if `quiet`."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=logging.ERROR if quiet else level, format=FORMAT)
    for name in NOTICES:
        logging.getLogger(name).setLevel(logging.ERROR if quiet else logging.INFO)
