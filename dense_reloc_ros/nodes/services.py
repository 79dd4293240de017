"""Services that answer whatever happens: rclpy ends the process where a callback raises."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from rclpy.impl.rcutils_logger import RcutilsLogger

Answer = Callable[[Any, Any], Any]
"""A service's callback, of request and response."""


def answering(answer: Answer, name: str, logger: RcutilsLogger) -> Answer:
    """The callback that logs what it raised and answers with an empty response, or what is in it.

    An empty response says `success` false; the error stands in its `message` where it has one.
    """

    @wraps(answer)
    def run(request: Any, response: Any) -> Any:
        try:
            return answer(request, response)
        except Exception as error:
            logger.error(f"{name} failed: {error}\n{traceback.format_exc()}")
            if hasattr(response, "message"):
                response.message = f"failed: {error}"
            return response

    return run
