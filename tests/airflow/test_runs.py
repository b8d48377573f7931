"""Runs of the DAG on a real scheduler: what they ship, reuse, refuse and survive."""

import time

import psutil
import requests

from tests.airflow.airflow_server import AirflowServer, outcome_of
from tests.pipeline_steps.inbox import Inbox

GOOD = {"epochs": 1, "min_accuracy": 0}


def body_of(inbox: Inbox, place: int = -1) -> str:
    text = inbox.messages[place].get_body(("plain",))
    assert text is not None
    return str(text.get_content())


def test_run_ships_and_the_next_one_reuses(server: AirflowServer, inbox: Inbox) -> None:
    # WHEN a run is triggered by REST
    run = server.start(**GOOD)
    # THEN each task is green
    assert server.finish(run) == "success"
    assert set(server.states(run).values()) == {"success"}
    # AND the API answers, from both environments' model
    told = outcome_of(server.build)
    answer = requests.post(f"{told['api_url']}/predict", json={"inputs": "fine"}, timeout=60)
    assert set(answer.json()) == {"label", "score"}
    assert answer.headers["X-Model-Version"] == told["model_version"]
    assert "is live" in str(inbox.messages[-1]["Subject"])
    # AND the UI has a link to it, and followers of the asset hear of it
    path = f"dags/t5_mlops_pipeline/dagRuns/{run}/taskInstances"
    links = server.get(f"{path}/production.smoke_test/links")["extra_links"]
    assert links["API"] == told["api_url"]
    events = server.get("assets/events")["asset_events"]
    assert [event["source_task_id"] for event in events] == ["production.smoke_test"]
    # WHEN the same is asked for again, for staging only
    run = server.start(**GOOD, deploy="staging")
    assert server.finish(run) == "success"
    # THEN nothing is trained, and production is left alone
    states = server.states(run)
    skipped = {name for name, state in states.items() if state == "skipped"}
    assert skipped == {"train", *(name for name in states if name.startswith("production."))}
    statuses = {step["name"]: step["status"] for step in outcome_of(server.build)["steps"]}
    assert statuses["train"] == "reused"


def test_model_below_the_bar_goes_nowhere(server: AirflowServer, inbox: Inbox) -> None:
    run = server.start(epochs=1, min_accuracy=1)
    assert server.finish(run) == "failed"
    # THEN the gate is asked once, and nothing after it runs but the report and the mail
    tasks = server.tasks(run)
    assert (tasks["evaluate"]["state"], tasks["evaluate"]["try_number"]) == ("failed", 1)
    assert tasks["package_model"]["state"] == "upstream_failed"
    assert tasks["production.deploy_endpoint"]["state"] == "upstream_failed"
    assert tasks["report"]["state"] == tasks["notify"]["state"] == "success"
    assert "It does not ship" in (server.build / "demo" / "report.html").read_text()
    assert "failed in evaluate" in str(inbox.messages[-1]["Subject"])
    assert "below the bar" in body_of(inbox)


def test_unknown_parameter_is_refused(server: AirflowServer) -> None:
    run = server.start(epoch_count=1)
    assert server.finish(run) == "failed"
    tasks = server.tasks(run)
    assert (tasks["check_data"]["state"], tasks["check_data"]["try_number"]) == ("failed", 1)
    # THEN what a former run may have left is not reported as this one's
    assert tasks["report"]["state"] == "skipped"


def test_killed_step_is_tried_again(server: AirflowServer) -> None:
    # GIVEN a run in the middle of its training
    run = server.start(epochs=2, min_accuracy=0, deploy="none")
    deadline = time.monotonic() + 300
    while not (found := trainings(server)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # WHEN the machine runs out of memory, say
    found[0].kill()
    # THEN it is tried again, and the run completes
    assert server.finish(run) == "success"
    train = server.tasks(run)["train"]
    assert (train["state"], train["try_number"]) == ("success", 2)


def trainings(server: AirflowServer) -> list[psutil.Process]:
    """The processes that train for this server."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "pipeline_steps.train" in command and str(server.build) in command:
            found.append(process)
    return found
