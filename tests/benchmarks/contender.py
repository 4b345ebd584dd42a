"""One contender in a process of its own: `contender.py NAME COUNT`; prints what it measured as one line of JSON."""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import office
from office import Sink

from flows.wiring import Application

Measured = dict[str, float]


def job_through_engine(app: Application, mails: Sink, count: int) -> Measured:
    """Many meetings saved at once, through the whole engine with its Prefect server running."""
    with app.serve():
        _settle_down(app, mails, 3)
        before = len(mails.accepted_at())
        cpu = office.cpu_seconds([os.getpid()])
        _, saved = office.save(app, count)
        last = mails.wait_for(before + count)[-1]
        _until_ended(app, count + before)
        ended = time.time()
        return {
            "per_second": count / (ended - saved),
            "accepted_per_second": count / (last - saved),
            "cpu_ms": 1000 * (office.cpu_seconds([os.getpid()]) - cpu) / count,
        }


def latency_of_engine(app: Application, mails: Sink, count: int) -> Measured:
    """One meeting at a time on an idle engine: from the commit of the save to the acceptance of the mail."""
    spans = []
    with app.serve():
        _settle_down(app, mails, 5)
        for _ in range(count):
            before = len(mails.accepted_at())
            _, saved = office.save(app, 1)
            spans.append(1000 * (mails.wait_for(before + 1)[-1] - saved))
            time.sleep(0.3)
    spans.sort()
    return {"p50_ms": statistics.median(spans), "p95_ms": spans[int(len(spans) * 0.95)], "max_ms": spans[-1]}


def loop(app: Application, mails: Sink, count: int, *, keep: bool) -> Measured:
    from loops import loop as run

    numbers, _ = office.save(app, count)
    return _timed(lambda: run(app, mails.port, numbers, keep=keep), mails, count)


def flow_tuned(app: Application, mails: Sink, count: int) -> Measured:
    """By hand, with everything that makes Prefect quick: no heartbeat, one client, a tuned server."""
    from loops import Job
    from prefect_flows import by_hand, run_all

    from flows import server
    from flows.client import connected

    numbers, _ = office.save(app, count + 2)
    with server.serve(app.data / "prefect") as prefect, connected(prefect.url):
        notify = by_hand(Job(app, mails.port))
        run_all(notify, numbers[:2])
        return _timed(lambda: run_all(notify, numbers[2:]), mails, count)


def flow_as_installed(app: Application, mails: Sink, count: int) -> Measured:
    """By hand, with a server and a client as `pip install prefect` leaves them."""
    from loops import Job

    numbers, _ = office.save(app, count + 2)
    with _plain_server(app.data / "plain"):
        from prefect_flows import by_hand, run_all

        notify = by_hand(Job(app, mails.port))
        run_all(notify, numbers[:2])
        return _timed(lambda: run_all(notify, numbers[2:]), mails, count)


def compiled_beside_by_hand(app: Application, mails: Sink, count: int) -> Measured:
    """The compiled flow, as people start it in Prefect, and the same flow by hand (one task), in turn, in one process, on
    one server: from the wish to run it to the final state in Prefect."""
    from loops import Job
    from prefect_flows import by_hand_in_one_task

    from flows import server
    from flows.client import connected
    from flows.runs import Runs, carry_out
    from flows.starting import Host
    from procession.definitions import Definitions
    from procession.planner import Planner
    from procession.ports import Glance

    ports, plan = app.ports(), app.plans()[office.PROCESS]
    runs = Runs(Host(ports, Definitions(app.plans()), is_engine=True), app.data / "results")
    planner = Planner(ports, Definitions(app.plans()))
    by_hand = by_hand_in_one_task(Job(app, mails.port))
    ratios = []
    with server.serve(app.data / "prefect") as prefect, connected(prefect.url) as client:
        for _ in range(count + 3):
            numbers, _ = office.save(app, 1)
            planner.plan(Glance(pending=True))
            with app.store.unit(write=False) as unit:
                ready = unit.journal.instances(states=["ready"], limit=1)
            started = time.perf_counter()
            by_hand(numbers[0])
            middle = time.perf_counter()
            carry_out(runs.flow(plan), runs.create(client, plan, ready))
            ratios.append((time.perf_counter() - middle) / (middle - started))
    return {"ratio": statistics.median(ratios[3:]), "pairs": count}


def _timed(work: Callable[[], None], mails: Sink, count: int) -> Measured:
    pids = [os.getpid()]
    cpu, started = office.cpu_seconds(pids), time.time()
    work()
    seconds = time.time() - started
    mails.wait_for(count)
    return {"per_second": count / seconds, "cpu_ms": 1000 * (office.cpu_seconds(pids) - cpu) / count}


def _settle_down(app: Application, mails: Sink, count: int) -> None:
    """The first runs of a process are slow: caches, connections, imports."""
    for number in range(count):
        office.save(app, 1)
        mails.wait_for(number + 1)
    time.sleep(2)


def _until_ended(app: Application, count: int) -> None:
    while True:
        with app.store.unit(write=False) as unit:
            if len(unit.journal.instances(states=["completed"], limit=count + 10)) >= count:
                return
        time.sleep(0.01)


@contextmanager
def _plain_server(folder: Path) -> Any:
    folder.mkdir(parents=True)
    os.environ |= {"PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
                   "PREFECT_LOGGING_LEVEL": "ERROR"}  # fmt: skip
    port = 41987
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        import httpx

        for _ in range(200):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/api/health").is_success:
                    break
            except httpx.HTTPError:
                time.sleep(0.3)
        try:
            yield
        finally:
            process.terminate()


CONTENDERS: dict[str, Callable[[Application, Sink, int], Measured]] = {
    "engine": job_through_engine,
    "latency": latency_of_engine,
    "loop": lambda app, mails, count: loop(app, mails, count, keep=False),
    "loop-kept": lambda app, mails, count: loop(app, mails, count, keep=True),
    "flow-tuned": flow_tuned,
    "flow-installed": flow_as_installed,
    "compiled": compiled_beside_by_hand,
}


def main() -> None:
    logging.disable(logging.WARNING)
    name, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with office.sink(folder / "mail") as mails:
            app = office.project(folder / "project", mails.port)
            print(json.dumps(CONTENDERS[name](app, mails, count)))


if __name__ == "__main__":
    main()
