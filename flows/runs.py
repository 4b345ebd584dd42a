"""Flow runs in Prefect that show instances: the flows they are runs of, how they are made and carried out."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentFlowRunCreate, FlowRunCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectHTTPStatusError
from prefect.flow_engine import run_flow
from prefect.states import Pending, to_state_create

from flows import build, form, starting, words
from flows.starting import Host
from procession.plan import Plan
from procession.ports import Instance


class Runs:
    """Makes flow runs for one engine. Flows are made once for each version; safe to use from several threads.

    `deployments` are those that are registered, `{process: id}`. A run without one is shown all the same, but not
    on the page of its deployment, and it cannot be retried there.
    """

    def __init__(self, host: Host, results: Path) -> None:
        self.host = host
        self.deployments: dict[str, UUID] = {}
        self.results = results
        self._flows: dict[tuple[str, str], Flow[..., State[Any]]] = {}
        self._lock = threading.Lock()

    def flow(self, plan: Plan) -> "Flow[..., State[Any]]":
        with self._lock:
            key = (plan.process, plan.digest)
            if key not in self._flows:
                self._flows[key] = build.flow(plan, lambda: self.host, self.results)
            return self._flows[key]

    def create(
        self,
        client: SyncPrefectClient,
        plan: Plan,
        instances: Sequence[Instance],
        state: State[Any] | None = None,
    ) -> FlowRun:
        """A flow run for these instances under this very claim: a new one, or that which Prefect has of them already,
        since a request whose answer got lost is made again.

        Raises:
            UNREACHABLE: see `flows.client`.
        """
        fields: dict[str, Any] = {
            "name": words.run_name(plan.title, instances),
            "parameters": form.parameters(plan, instances[0].inputs) if len(instances) == 1 else {},
            "tags": words.tags(plan),
            "state": to_state_create(state or Pending()),
            "labels": {
                starting.INSTANCES: starting.instances_label(instances),
                starting.OWNER: str(self.host.ports.engine.id),
            },
            "idempotency_key": self._key(instances),
        }
        if deployment := self.deployments.get(plan.process):
            try:
                return _of_deployment(client, deployment, fields)
            except PrefectHTTPStatusError as error:
                if error.response.status_code != httpx.codes.NOT_FOUND:
                    raise
                self.deployments.pop(plan.process, None)  # somebody deleted it
        return _of_flow(client, self.flow(plan), fields)

    def _key(self, instances: Sequence[Instance]) -> str:
        first, incarnation = instances[0], self.host.ports.store.identity.incarnation
        return f"{incarnation}:{first.id}:{first.fencing_token}:{len(instances)}"


def _of_deployment(client: SyncPrefectClient, deployment: UUID, fields: Mapping[str, Any]) -> FlowRun:
    """`client.create_flow_run_from_deployment` knows no `enforce_parameter_schema`: a run for many instances has
    no parameters, though the form asks for some."""
    create = DeploymentFlowRunCreate(enforce_parameter_schema=False, **fields)
    answer = client.request(
        "POST", "/deployments/{id}/create_flow_run", path_params={"id": deployment},
        json=create.model_dump(mode="json", exclude_unset=True),
    )  # fmt: skip
    return FlowRun.model_validate(answer.json())


def _of_flow(client: SyncPrefectClient, flow: "Flow[..., State[Any]]", fields: Mapping[str, Any]) -> FlowRun:
    """`client.create_flow_run` knows no labels."""
    create = FlowRunCreate(flow_id=client.create_flow(flow), flow_version=flow.version, **fields)
    answer = client.request("POST", "/flow_runs/", json=create.model_dump(mode="json", exclude_unset=True))
    return FlowRun.model_validate(answer.json())


def carry_out(flow: "Flow[..., State[Any]]", run: FlowRun) -> State[Any]:
    """Run the flow in this thread and return its final state.

    The run is handed over without its deployment: else Prefect starts an observer of its own for each run, to
    suspend it from afar, which takes 150 ms and which a segment between two waits has no use for.

    Raises:
        UNREACHABLE, SIGNALS: see `flows.client`.
    """
    state: State[Any] = run_flow(
        flow, flow_run=run.model_copy(update={"deployment_id": None}), return_type="state"
    )  # type: ignore[assignment]  # a sync flow's
    return state
