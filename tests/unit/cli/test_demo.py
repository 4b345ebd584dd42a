"""What the demo keeps away from whoever looks at it."""

import logging

import pytest

from procession.cli.demo import _undisturbed


def test_what_the_engine_notes_does_not_get_between_the_lines(caplog: pytest.LogCaptureFixture) -> None:
    with _undisturbed():
        logging.getLogger("flows.supervisor").error("the Prefect server is still starting")
    assert caplog.messages == []

    logging.getLogger("flows.supervisor").error("as before")
    assert caplog.messages == ["as before"]
