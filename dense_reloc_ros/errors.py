"""The one exception family of the package: messages are for the person who can act on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class RelocError(Exception):
    """Base of every error raised on purpose; the command line shows it and exits with 2."""


class InputError(RelocError):
    """Images, poses, intrinsics or bags that cannot be used; the message names the file."""


class MapError(RelocError):
    """A map that is missing, altered, of another version or made for other features."""


class ConfigurationError(RelocError):
    """A parameter or a combination of parameters that makes no sense."""


class TimeLimitError(RelocError):
    """A frame that took longer than it may."""


class TrainingError(RelocError):
    """A training run that cannot go on, such as one whose loss is no longer finite."""


@contextmanager
def family(error_of: Callable[[str], RelocError]) -> Iterator[None]:
    """Turns whatever another library raises, when it is given bad input, into one of the family.

    `error_of` makes the error of the reason, which is one line. Libraries raise anything when they
    read damaged files: struct.error, KeyError, MemoryError for absurd sizes, and exceptions of
    their own. So this goes around their calls alone, and never around our own work.
    """
    try:
        yield
    except RelocError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise error_of(reason) from None
