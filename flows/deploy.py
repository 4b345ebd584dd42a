"""Processes → deployments: in `prefect.yaml` for `prefect deploy --all`, and on the server of a running engine.

A deployment is what people see on the Deployments page and start with its "Run" button. Ours are those whose
entrypoint is in `flows.catalog`; everything else in `prefect.yaml` is somebody else's and stays as it is, and so
do a trigger or a schedule that somebody switched on, and keys of ours that we do not write.

Schedules and triggers are written switched off: the engine fires them itself. Switched on, they start nothing
twice, since a moment and an event count once (docs/decisions, "Who starts a process").
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from flows import words
from flows.project import Project
from procession.application import Deployed
from procession.definitions import Definitions
from procession.errors import ConfigurationError
from procession.plan import Plan, Trigger
from procession.publications import Asked, Published

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.responses import DeploymentResponse

    from flows.runs import Runs

FILE = "prefect.yaml"
POOL = "procession"
CATALOG = "flows.catalog."
EPOCH = "1970-01-01T00:00:00+00:00"

HEAD = """\
# Deployments of the processes in processes/, kept in step by `procession deploy`; `prefect deploy --all` tells a
# Prefect server. Those with an entrypoint in flows.catalog are written anew; add others of your own beside them.
"""


def deploy(application: Project, asked: Asked) -> Deployed:
    """Publish the processes of the project, and bring `prefect.yaml` in step with what is current then.

    Raises:
        ProcessErrors: a file cannot be used; nothing is published.
        ConfigurationError: `prefect.yaml` is there and cannot be read.
    """
    file = application.project / FILE
    application.plans()
    document = _read(file)
    published = application.publish(asked)
    plans = _to_be_current(application, published)
    changes = _update(document, plans, application.definitions.unusable)
    if changes and not asked.dry_run:
        with file.open("w", encoding="utf-8") as out:
            _yaml().dump(document, out)
    return Deployed(file, tuple(sorted(plans)), tuple(changes), published)


def _to_be_current(application: Project, published: Published) -> dict[str, Plan]:
    """The current versions, or those that would be if it was not only looked."""
    application.definitions.refresh()
    plans = dict(application.definitions.plans)
    for change in published.changes:
        if change.what in ("new", "back"):
            plans[change.process] = application.plans()[change.process]
        elif change.what == "retired":
            plans.pop(change.process, None)
    return plans


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _read(file: Path) -> CommentedMap:
    if not file.exists():
        document = CommentedMap({"name": "procession", "deployments": CommentedSeq()})
        document.yaml_set_start_comment(HEAD.replace("# ", ""))
        return document
    try:
        document = _yaml().load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    if not isinstance(document, CommentedMap):
        raise ConfigurationError(f"{file} holds no mapping", hint="Delete it; `procession deploy` writes it.")
    return document


def _update(document: CommentedMap, plans: Mapping[str, Plan], others: Collection[str]) -> list[str]:
    """`others` are current, too, and stay as they are."""
    if not isinstance(document.get("deployments"), CommentedSeq):
        document["deployments"] = CommentedSeq(document.get("deployments") or ())
    deployments = document["deployments"]
    found = {d["entrypoint"]: d for d in deployments if str(d.get("entrypoint", "")).startswith(CATALOG)}
    changes = []
    for process, plan in sorted(plans.items()):
        wanted = entry(plan)
        if (old := found.pop(CATALOG + process, None)) is None:
            deployments.append(CommentedMap({key: _styled(key, value) for key, value in wanted.items()}))
            changes.append(f"added {process}")
        elif _merge(old, wanted):
            changes.append(f"changed {process}")
    for entrypoint, gone in found.items():
        if (process := entrypoint.removeprefix(CATALOG)) not in others:
            deployments.remove(gone)
            changes.append(f"removed {process}")
    return changes


def _merge(old: CommentedMap, wanted: dict[str, Any]) -> bool:
    """Write our keys into an entry; True if that changed it."""
    _keep_switches(old, wanted, "schedules", "active", "slug")
    _keep_switches(old, wanted, "triggers", "enabled", "name")
    changed = {key: value for key, value in wanted.items() if old.get(key) != value}
    old.update({key: _styled(key, value) for key, value in changed.items()})
    gone = [key for key in ("schedules", "triggers", "description") if key in old and key not in wanted]
    for key in gone:
        del old[key]
    return bool(changed or gone)


def _styled(key: str, value: Any) -> Any:
    """As a person would write it: long text in lines, short lists and templates in one line."""
    if key == "description":
        return LiteralScalarString(value)
    if key == "triggers":
        return [{name: _styled(name, part) for name, part in trigger.items()} for trigger in value]
    if key in ("tags", "work_pool", "match", "expect"):
        return _in_one_line(value)
    if key == "parameters":
        return {name: _in_one_line(part) for name, part in value.items()}
    return value


def _in_one_line(value: Any) -> Any:
    styled = CommentedMap(value) if isinstance(value, dict) else CommentedSeq(value)
    styled.fa.set_flow_style()
    return styled


def _keep_switches(old: CommentedMap, wanted: dict[str, Any], key: str, switch: str, name: str) -> None:
    before = {item.get(name): item.get(switch) for item in old.get(key) or () if isinstance(item, dict)}
    for item in wanted.get(key, ()):
        item[switch] = before.get(item[name], item[switch])


# --- one deployment


def entry(plan: Plan) -> dict[str, Any]:
    """A deployment as `prefect.yaml` writes it."""
    schedules = [_schedule(trigger) for trigger in plan.triggers if trigger.schedule]
    triggers = [_trigger(plan, trigger) for trigger in plan.triggers if _on_records(trigger)]
    return {
        "name": words.flow_name(plan.process),
        "entrypoint": CATALOG + plan.process,
        "description": words.description(plan),
        "tags": words.tags(plan),
        "enforce_parameter_schema": form_enforced(plan),
        "work_pool": {"name": POOL},
        **({"schedules": schedules} if schedules else {}),
        **({"triggers": triggers} if triggers else {}),
    }


def form_enforced(plan: Plan) -> bool:
    """Whether the server may insist on the required inputs: not where a schedule or an automation starts a
    process whose inputs it cannot know."""
    required = [i for i in plan.inputs if i.required and i.default is None]
    unknown = [i for i in required if i.type.name != "record"]
    by_clock = any(t.schedule for t in plan.triggers)
    return not (by_clock and required) and not (unknown and any(map(_on_records, plan.triggers)))


def _on_records(trigger: Trigger) -> bool:
    return bool(trigger.entity) and any(e in ("added", "modified", "deleted") for e in trigger.events)


def _schedule(trigger: Trigger) -> dict[str, Any]:
    if trigger.cron:
        when: dict[str, Any] = {"cron": trigger.cron, "timezone": trigger.timezone}
    else:
        when = {"interval": int((trigger.every or timedelta()).total_seconds()), "anchor_date": EPOCH}
    return {**when, "slug": slug(trigger), "active": False}


def slug(trigger: Trigger) -> str:
    """Prefect's ids of schedules have no underscores."""
    return trigger.id.replace("_", "-")


def _trigger(plan: Plan, trigger: Trigger) -> dict[str, Any]:
    """An automation on the events that the engine publishes (`flows.publishing`). Parameters from a template are
    texts, so they are read as JSON (measured; prefect.md, 2.1)."""
    number = {
        "__prefect_kind": "json",
        "value": {"__prefect_kind": "jinja", "template": "{{ event.payload.event }}"},
    }
    record = {
        "__prefect_kind": "json",
        "value": {"__prefect_kind": "jinja", "template": "{{ event.payload.record }}"},
    }
    required = [i for i in plan.inputs if i.required and i.default is None and i.type.name == "record"]
    return {
        "name": f"{words.flow_name(plan.process)}: {trigger.id}",
        "enabled": False,
        "type": "event",
        "posture": "Reactive",
        "threshold": 1,
        "within": 0,
        "match": {"prefect.resource.id": f"crm.{trigger.entity}.*"},
        "expect": [f"crm.{trigger.entity}.{event}" for event in trigger.events],
        "parameters": {**{i.name: record for i in required}, "event": number},
    }


# --- on a server


def register(client: "SyncPrefectClient", definitions: Definitions, runs: "Runs", project: Path) -> None:
    """Have a deployment of every current version on the server, and note their ids in `runs.deployments`. What people
    switched there (schedules, automations) stays.

    Raises:
        UNREACHABLE: see `flows.client`.
    """
    _have_pool(client)
    plans = definitions.plans
    runs.deployments = {process: _register(client, plan, runs, project) for process, plan in plans.items()}
    _forget_others(client, {*plans, *definitions.unusable}, project)


def _have_pool(client: "SyncPrefectClient") -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        pool = WorkPoolCreate(
            name=POOL, type="process", base_job_template=template,
            description="For workers beside the engine: `prefect worker start --pool procession`. "
            "The engine itself needs none.",
        )  # fmt: skip
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:
            return  # another engine was faster


def _register(client: "SyncPrefectClient", plan: Plan, runs: "Runs", project: Path) -> UUID:
    from prefect.client.schemas.actions import DeploymentUpdate
    from prefect.exceptions import ObjectNotFound

    flow, name = runs.flow(plan), words.flow_name(plan.process)
    schema = flow.parameters.model_dump()
    shown: dict[str, Any] = {
        "version": plan.digest[:12], "description": words.description(plan), "tags": words.tags(plan),
        "enforce_parameter_schema": form_enforced(plan), "entrypoint": CATALOG + plan.process,
    }  # fmt: skip
    try:
        there = client.read_deployment_by_name(f"{name}/{name}")
    except ObjectNotFound:
        return client.create_deployment(
            client.create_flow(flow), name, work_pool_name=POOL, parameter_openapi_schema=schema,
            pull_steps=_pull(project), schedules=_schedules(plan), **shown,
        )  # fmt: skip
    if not _in_step(there, shown):
        client.update_deployment(
            there.id,
            DeploymentUpdate(parameter_openapi_schema=flow.parameters.model_dump_for_openapi(), **shown),
        )
    return there.id


def _pull(project: Path) -> list[dict[str, Any]]:
    """A worker works in the folder of the project."""
    return [{"prefect.deployments.steps.set_working_directory": {"directory": str(project)}}]


def _schedules(plan: Plan) -> "list[DeploymentScheduleCreate]":
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    return [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=trigger.cron, timezone=trigger.timezone)
            if trigger.cron
            else IntervalSchedule(interval=trigger.every or timedelta(), anchor_date=EPOCH),
            active=False,
            slug=slug(trigger),
        )
        for trigger in plan.triggers
        if trigger.schedule
    ]


def _forget_others(client: "SyncPrefectClient", current: Collection[str], project: Path) -> None:
    """Take away the deployments of this project's processes that are current no more; their runs stay."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[words.TAG]))
    for there in client.read_deployments(deployment_filter=ours):
        process = (there.entrypoint or "").removeprefix(CATALOG)
        if there.pull_steps == _pull(project) and process not in current:
            client.delete_deployment(there.id)


def _in_step(there: "DeploymentResponse", shown: Mapping[str, Any]) -> bool:
    return all(getattr(there, key) == value for key, value in shown.items())
