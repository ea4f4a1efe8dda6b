"""The log: one line an event, plain on a terminal, JSON otherwise."""

from __future__ import annotations

import logging
import os
import sys

import structlog

_HANDED_ON = "FXD_LOG"


def configure(*, level: str = "info", form: str = "auto") -> None:
    """Set up structlog, and what libraries log, to go to standard error."""
    plain = form == "plain" or (form == "auto" and sys.stderr.isatty())
    minimum = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=not plain),
    ]
    last: list[structlog.typing.Processor]
    if plain:
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(minimum),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        # A reload may set another level.
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(minimum, logging.WARNING), stream=sys.stderr, force=True)
    os.environ[_HANDED_ON] = f"{level} {'plain' if plain else 'json'}"


def configure_child() -> None:
    """Have a child process log as the daemon does that started it."""
    level, _, form = os.environ.get(_HANDED_ON, "info auto").partition(" ")
    configure(level=level, form=form)
