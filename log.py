"""The pack's one logger, and warnings that do not flood a log that every UNet call could write
to.
"""

import logging
import time

logger = logging.getLogger("one-prompt-one-story")

QUIET_SECONDS = 60.0
_last_warned: dict[str, float] = {}


def warn_rarely(message: str) -> None:
    """Log `message` as a warning, at most once a minute for the same text."""
    now = time.monotonic()
    if now - _last_warned.get(message, -QUIET_SECONDS) >= QUIET_SECONDS:
        _last_warned[message] = now
        logger.warning(message)
