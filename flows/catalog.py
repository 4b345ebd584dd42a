"""`flows.catalog.<process>`: the flow of the current version of a process, made when somebody asks for it.

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
from procession.publications import Asked
from procession.spelling import did_you_mean


def __getattr__(name: str) -> "Flow[..., Any]":
    """Raises:
    AttributeError: no version of such a process is current, or this program cannot run it.
    """
    if name.startswith("_"):
        raise AttributeError(name)
    return _flow(name)


@functools.cache
def _flow(process: str) -> "Flow[..., Any]":
    project, definitions = _project(), _host().definitions
    if why := definitions.unusable.get(process):
        raise AttributeError(f"this program cannot run the process {process!r}: {why}")
    if process not in definitions.plans:
        hint = did_you_mean(process, definitions.plans) or "See: procession process list"
        raise AttributeError(f"no process {process!r} is current. {hint}")
    return build.flow(definitions.plans[process], _host, project.data / "prefect" / "results")


@functools.cache
def _project() -> Application:
    return application()


@functools.cache
def _host() -> Host:
    project = _project()
    if project.publishes:
        project.publish(Asked())
    project.definitions.refresh()
    return Host(project.ports(), project.definitions)
