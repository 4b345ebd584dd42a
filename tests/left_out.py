"""What is not run, and why, at the end of the report, also of tests that run side by side: there the processes that collect
them print nothing, and the one that prints collects nothing."""

from collections.abc import Iterable
from typing import Any

import pytest

LINES = pytest.StashKey[list[str]]()


def say(config: pytest.Config, lines: Iterable[str]) -> None:
    config.stash.setdefault(LINES, []).extend(lines)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if told := getattr(session.config, "workeroutput", None):  # this is one of the processes
        told["left out"] = session.config.stash.get(LINES, [])


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    """All of them collected the same."""
    node.config.stash[LINES] = getattr(node, "workeroutput", {}).get("left out", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(LINES, []):
        terminalreporter.write_line(line)
