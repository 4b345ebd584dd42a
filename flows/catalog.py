"""`flows.catalog.<process>`: the flow of a process of the project, made when somebody asks for it.

Deployments name their flow this way (`entrypoint: flows.catalog.notify_contact_of_meeting`), so a new process
needs no Python. The project is that of PROCESSION_PROJECT, else the nearest one around the current folder, which a
worker sets to where the deployment was made.
"""

import functools
from typing import Any

from prefect import Flow

from flows import build
from flows.starting import Host
from flows.wiring import Application, application
from procession.spelling import did_you_mean


def __getattr__(name: str) -> "Flow[..., Any]":
    """Raises:
    AttributeError: there is no such process.
    ProcessErrors: a definition cannot be used.
    """
    if name.startswith("_"):
        raise AttributeError(name)
    return _flow(name)


@functools.cache
def _flow(process: str) -> "Flow[..., Any]":
    project = _project()
    plans = project.plans()
    if process not in plans:
        hint = did_you_mean(process, plans)
        raise AttributeError(f"there is no process {process!r} in {project.processes}. {hint}".rstrip())
    return build.flow(plans[process], _host, project.data / "prefect" / "results")


@functools.cache
def _project() -> Application:
    return application()


@functools.cache
def _host() -> Host:
    project = _project()
    project.publish()
    return Host(project.ports(), project.definitions)
