"""Says what is wrong once, not with every image."""

from __future__ import annotations

from rclpy.impl.rcutils_logger import RcutilsLogger


class ChangeReporter:
    """Logs the state of something when it changes: a warning when it turns bad, then when good."""

    def __init__(self, logger: RcutilsLogger) -> None:
        self._logger = logger
        self._problems: dict[str, str] = {}

    def problem(self, subject: str, message: str, state: str | None = None) -> None:
        """Warns unless the subject was last reported with the same message.

        Give a `state` where the message holds numbers that differ from image to image.
        """
        state = message if state is None else state
        if self._problems.get(subject) != state:
            self._logger.warning(f"{subject}: {message}")
        self._problems[subject] = state

    def resolved(self, subject: str) -> None:
        """Says that a subject that had a problem has none any more."""
        if self._problems.pop(subject, None) is not None:
            self._logger.info(f"{subject}: fine again")
