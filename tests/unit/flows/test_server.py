"""What can be known of the Prefect server without starting one."""

import socket
from pathlib import Path

import pytest

from flows import server
from procession.errors import ConfigurationError


def test_a_port_that_is_taken_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((server.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigurationError) as refused:
            server.start(tmp_path, port)

    assert refused.value.message == f"port {port} is taken by another program"
    assert "PROCESSION_PREFECT_PORT" in refused.value.hint


def test_a_server_that_is_named_is_used(monkeypatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    assert server.named_server("") == ""
    assert server.named_server("", {"PREFECT_API_URL": "http://a/api"}) == "http://a/api"
    assert server.named_server("http://b/api", {"PREFECT_API_URL": "http://a/api"}) == "http://b/api"


def test_nothing_that_answers_is_not_healthy() -> None:
    with socket.socket() as closed:
        closed.bind((server.HOST, 0))

        assert not server.healthy(server.api_url(closed.getsockname()[1]))
