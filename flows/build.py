"""Plan → `prefect.Flow`: the only place where flows and tasks are made.

A flow is made once per version of a process, with one task for each step (named by the step's path). It runs where
people start something in Prefect (the "Run" button, a schedule, an automation, a worker, a retry): its body starts or
resumes an instance (`flows.starting`) and advances that, with a task run around each step. What the engine carries
out by itself is shown as a run of the same flow, but not run by it (`flows.telling`).

Retries are the engine's and results are in the journal, so Prefect's are off. The returned state says in one
sentence what became of it (`flows.words`).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import form, starting, words
from flows.starting import Host
from procession.advance import Wrap
from procession.errors import ProcessionError
from procession.plan import Plan, Step, every_step

MODULE = "flows.catalog"


def flow(plan: Plan, host: Callable[[], Host], results: Path) -> "Flow[..., State[Any]]":
    """The flow of one version of a process.

    Args:
        host: gives the world to work on.
        results: a folder for Prefect; nothing is kept there, but without one it asks its server in every run.
    """
    wrap = wrap_of(tasks_of(plan), lambda: host().stopping)

    def body(**parameters: Any) -> State[Any]:
        return starting.start(plan, host(), parameters, wrap)

    signature = form.signature(plan)
    body.__name__ = body.__qualname__ = plan.process
    body.__module__ = MODULE
    body.__doc__ = words.description(plan)
    body.__signature__ = signature  # type: ignore[attr-defined]  # what inspect.signature answers
    body.__annotations__ = {name: p.annotation for name, p in signature.parameters.items()}
    return Flow(
        body, name=words.flow_name(plan.process), version=plan.digest[:12], validate_parameters=False,
        persist_result=False, result_storage=results, description=words.description(plan),
    )  # fmt: skip


def engine_start(plans: Mapping[str, Plan], results: Path) -> "Flow[..., State[Any]]":
    """A flow with one task that does nothing: its run shows that an engine started, and what it serves."""
    nothing = Task(lambda: None, name="ready", cache_policy=NO_CACHE, persist_result=False)

    def body() -> State[Any]:
        nothing()
        return Completed(message=f"It serves {', '.join(sorted(plans)) or 'no process'}.")

    return Flow(
        body,
        name="Procession engine",
        validate_parameters=False,
        persist_result=False,
        result_storage=results,
    )


def tasks_of(plan: Plan) -> "dict[str, Task[..., State[Any]]]":
    """`{step path: task}`."""
    return {step.path: _task(step) for step in every_step(plan)}


def wrap_of(
    tasks: Mapping[str, "Task[..., State[Any]]"], stopping: Callable[[], threading.Event]
) -> Wrap[Any]:
    """A task run around the work of each step, until the engine is to stop."""

    def wrap(step: Step, count: int, do: Callable[[], Any]) -> Any:
        starting.go_on(stopping())
        done: list[Any] = []

        def once() -> Any:
            done.append(do())
            return done[0]

        tasks[step.path](count, once)
        return done[0]

    return wrap


def _task(step: Step) -> "Task[..., State[Any]]":
    def take(count: int, work: Callable[[], Sequence[ProcessionError]]) -> State[Any]:
        return words.step_state(step, count, work())

    def name(parameters: Mapping[str, Any]) -> str:
        return words.task_name(step, parameters["count"])

    take.__name__ = take.__qualname__ = step.path.replace("/", "_")
    return Task(
        take,
        name=step.path,
        description=step.title,
        task_run_name=name,  # type: ignore[arg-type]  # Prefect goes by the parameter's name
        retries=0,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
