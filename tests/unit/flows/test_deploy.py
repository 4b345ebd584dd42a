"""prefect.yaml is kept in step with the processes, and what people wrote into it stays."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect_world import NOTIFY, plan

from flows import deploy
from procession.definitions import Definitions
from procession.errors import ConfigurationError
from procession.plan import Plan
from procession.publications import Asked, Published

DIGEST = """\
process: digest
title: Weekly digest
triggers:
  - id: mondays
    schedule: "30 7 * * 1"
    timezone: Europe/Berlin
  - id: often
    schedule: {every: 15m}
steps:
  - set: {done: true}
"""


@dataclass
class Folder:
    project: Path
    texts: tuple[str, ...] = (NOTIFY, DIGEST)

    def plans(self) -> dict[str, Plan]:
        return {made.process: made for made in map(plan, self.texts)}

    def publish(self, _asked: Asked) -> Published:
        return Published()

    @property
    def definitions(self) -> Definitions:
        return Definitions(self.plans())


def test_every_process_gets_a_deployment(tmp_path: Path) -> None:
    done = deploy.deploy(Folder(tmp_path), Asked())

    written = done.file.read_text()
    assert done.changes == ("added digest", "added notify_contact_of_meeting")
    assert "entrypoint: flows.catalog.notify_contact_of_meeting" in written
    assert "work_pool:" in written
    assert str(tmp_path) not in written


def test_a_file_in_step_is_left_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    deploy.deploy(folder, Asked())
    before = (tmp_path / "prefect.yaml").read_text()

    done = deploy.deploy(folder, Asked())

    assert done.changes == ()
    assert done.file.read_text() == before


def test_checking_says_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    done = deploy.deploy(Folder(tmp_path), Asked(dry_run=True))

    assert done.changes == ("added digest", "added notify_contact_of_meeting")
    assert not done.file.exists()


def test_deployments_and_comments_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text(
        "name: ours  # a name\n"
        "deployments:\n"
        "  - name: nightly  # mine\n"
        "    entrypoint: reports.py:nightly\n"
        "    work_pool: {name: reports}\n"
    )

    deploy.deploy(Folder(tmp_path), Asked())

    written = (tmp_path / "prefect.yaml").read_text()
    assert "name: ours  # a name" in written
    assert (
        "- name: nightly  # mine\n    entrypoint: reports.py:nightly\n    work_pool: {name: reports}"
        in written
    )
    assert written.count("entrypoint:") == 3


def test_the_deployment_of_a_process_that_is_gone_goes(tmp_path: Path) -> None:
    deploy.deploy(Folder(tmp_path), Asked())

    done = deploy.deploy(Folder(tmp_path, (NOTIFY,)), Asked())

    assert done.changes == ("removed digest",)
    assert "flows.catalog.digest" not in done.file.read_text()


def test_a_switch_that_somebody_turned_on_and_keys_of_their_own_stay(tmp_path: Path) -> None:
    deploy.deploy(Folder(tmp_path), Asked())
    file = tmp_path / "prefect.yaml"
    text = (
        file.read_text()
        .replace("active: false", "active: true", 1)
        .replace("enabled: false", "enabled: true")
    )
    file.write_text(
        text.replace(
            "    entrypoint: flows.catalog.digest",
            "    concurrency_limit: 2\n    entrypoint: flows.catalog.digest",
        )
    )

    done = deploy.deploy(
        Folder(tmp_path, (NOTIFY.replace("Sends the invitation", "Sends it"), DIGEST)), Asked()
    )

    written = file.read_text()
    assert done.changes == ("changed notify_contact_of_meeting",)
    assert "Sends it." in written
    assert written.count("active: true") == 1
    assert "enabled: true" in written
    assert "concurrency_limit: 2" in written


def test_schedules_and_triggers_are_switched_off_since_the_engine_fires_them() -> None:
    digest, notify = deploy.entry(plan(DIGEST)), deploy.entry(plan())

    assert digest["schedules"] == [
        {"cron": "30 7 * * 1", "timezone": "Europe/Berlin", "slug": "mondays", "active": False},
        {"interval": 900, "anchor_date": "1970-01-01T00:00:00+00:00", "slug": "often", "active": False},
    ]
    assert [trigger["enabled"] for trigger in notify["triggers"]] == [False]


def test_an_automation_hands_over_numbers_and_not_texts() -> None:
    (trigger,) = deploy.entry(plan())["triggers"]

    assert trigger["expect"] == ["crm.activity.added"]
    assert trigger["match"] == {"prefect.resource.id": "crm.activity.*"}
    assert trigger["parameters"]["event"] == {
        "__prefect_kind": "json",
        "value": {"__prefect_kind": "jinja", "template": "{{ event.payload.event }}"},
    }
    assert trigger["parameters"]["meeting"]["value"]["template"] == "{{ event.payload.record }}"


def test_a_file_that_cannot_be_read_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text("deployments: [")

    with pytest.raises(ConfigurationError, match=r"prefect\.yaml cannot be read"):
        deploy.deploy(Folder(tmp_path), Asked())

    assert (tmp_path / "prefect.yaml").read_text() == "deployments: ["
