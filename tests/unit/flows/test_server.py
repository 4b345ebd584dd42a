"""What can be known of the Prefect server without starting one."""

import socket
import sqlite3
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


def test_a_new_database_has_its_tables_at_once(tmp_path: Path) -> None:
    file = tmp_path / "prefect.sqlite"

    server.prepare_database(file)

    database = sqlite3.connect(file)
    tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    versions = database.execute("select version_num from alembic_version").fetchall()
    database.close()
    assert {"flow", "flow_run", "task_run", "deployment", "automation"} <= tables
    assert len(versions) == 1


def test_a_database_that_is_there_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "prefect.sqlite"
    file.write_bytes(b"anything")

    server.prepare_database(file)

    assert file.read_bytes() == b"anything"


def test_a_server_that_is_named_is_used(monkeypatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    assert server.named_server("") == ""
    assert server.named_server("", {"PREFECT_API_URL": "http://a/api"}) == "http://a/api"
    assert server.named_server("http://b/api", {"PREFECT_API_URL": "http://a/api"}) == "http://b/api"


def test_nothing_that_answers_is_not_healthy() -> None:
    with socket.socket() as closed:
        closed.bind((server.HOST, 0))

        assert not server.healthy(server.api_url(closed.getsockname()[1]))
