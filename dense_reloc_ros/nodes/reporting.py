"""Says what is wrong once, not with every image."""

from __future__ import annotations

import time

from rclpy.impl.rcutils_logger import RcutilsLogger

REMINDER_SECONDS = 60.0
"""After which a problem that lasts is said again."""


class ChangeReporter:
    """Logs the state of something when it changes: a warning when it turns bad, then when good."""

    def __init__(self, logger: RcutilsLogger) -> None:
        self._logger = logger
        self._problems: dict[str, str] = {}
        self._messages: dict[str, str] = {}
        self._reminders: dict[str, float] = {}

    def problem(self, subject: str, message: str, state: str | None = None) -> bool:
        """Warns unless the subject was last reported with the same message; whether it did.

        Give a `state` where the message holds numbers that differ from image to image.
        """
        state = message if state is None else state
        self._messages[subject] = message
        is_new = self._problems.get(subject) != state
        if is_new:
            self._logger.warning(f"{subject}: {message}")
        self._problems[subject] = state
        return is_new

    def lasting(self, subject: str, message: str, state: str | None = None) -> None:
        """As `problem`, for what somebody must put right: says it again now and then.

        An empty message is none: then the subject is fine.
        """
        if not message:
            self._reminders.pop(subject, None)
            self.resolved(subject)
            return
        now = time.monotonic()
        if now - self._reminders.get(subject, now) > REMINDER_SECONDS:
            self._problems.pop(subject, None)
            self._reminders.pop(subject)
        self._reminders.setdefault(subject, now)
        self.problem(subject, message, state)

    def present(self, subject: str) -> str:
        """What is wrong with a subject, as it was said last; empty where nothing is."""
        return self._messages.get(subject, "") if subject in self._problems else ""

    def resolved(self, subject: str) -> None:
        """Says that a subject that had a problem has none any more."""
        if self._problems.pop(subject, None) is not None:
            self._logger.info(f"{subject}: fine again")

    def explain(self, words: str) -> None:
        """Adds to a problem what only helps who mends it."""
        self._logger.error(words)
