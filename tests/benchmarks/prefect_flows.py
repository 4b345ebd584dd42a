"""The job as somebody would write it for Prefect by hand: a flow of four tasks, and one of a single task."""

import smtplib
from collections.abc import Callable, Sequence
from typing import Any

from loops import Job
from prefect import flow, task
from prefect.cache_policies import NO_CACHE


def by_hand(job: Job) -> Callable[[int], None]:
    """load, render, send and log, a task each."""
    load = task(cache_policy=NO_CACHE, name="load")(job.load)
    render = task(cache_policy=NO_CACHE, name="render")(job.render)
    send = task(cache_policy=NO_CACHE, name="send")(_sender(job.port))
    log = task(cache_policy=NO_CACHE, name="log")(job.log)

    @flow(name="notify by hand")
    def notify(meeting: int) -> None:
        row = load(meeting)
        rendered = render(row)
        send(*rendered)
        log(row, rendered[0])

    return notify


def by_hand_in_one_task(job: Job) -> Callable[[int], None]:
    """The same flow as the compiled one: one task, `invite`."""
    send = _sender(job.port)

    @task(cache_policy=NO_CACHE, name="invite")
    def invite(meeting: int) -> None:
        row = job.load(meeting)
        mail, mime = job.render(row)
        send(mail, mime)
        job.log(row, mail)

    @flow(name="notify by hand, one task")
    def notify(meeting: int) -> None:
        invite(meeting)

    return notify


def run_all(notify: Callable[[int], None], numbers: Sequence[int]) -> None:
    for number in numbers:
        notify(number)


def _sender(port: int) -> Callable[..., None]:
    kept: list[smtplib.SMTP] = []

    def send(mail: Any, mime: bytes) -> None:
        if not kept:
            kept.append(smtplib.SMTP("127.0.0.1", port, local_hostname="localhost"))
        kept[0].sendmail(mail.sender.address, [mail.to[0].address], mime)

    return send
