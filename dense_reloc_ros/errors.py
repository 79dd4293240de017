"""The one exception family of the package: messages are for the person who can act on them."""


class RelocError(Exception):
    """Base of every error raised on purpose; the command line shows it and exits with 2."""


class InputError(RelocError):
    """Images, poses, intrinsics or bags that cannot be used; the message names the file."""


class MapError(RelocError):
    """A map that is missing, altered, of another version or made for other features."""


class ConfigurationError(RelocError):
    """A parameter or a combination of parameters that makes no sense."""


class TrainingError(RelocError):
    """A training run that cannot go on, such as one whose loss is no longer finite."""
