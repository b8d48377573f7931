"""The pipeline as an Airflow DAG: the same steps, files and gate as everywhere else.

    make airflow        # Airflow on this machine, this DAG on, against the local AWS

`docs/airflow.md` tells how to run it elsewhere, and when GitHub Actions is the better choice.
"""

from __future__ import annotations

import os
import tomllib
from datetime import datetime, timedelta

from airflow.sdk import Asset, Param, dag, task_group
from t5_steps import (
    HOME,
    REINFORCE,
    ArtefactLink,
    NotifyOperator,
    ReportOperator,
    ReuseBranch,
    StepOperator,
)

PROFILES = list(tomllib.loads((HOME / "pipeline.toml").read_text(encoding="utf-8")))
TRAINING_POOL = "t5_training"  # of one slot: two trainings share one GPU badly

# What the form asks for; the same defaults as the dispatch of the retrain workflow.
PARAMS = {
    "profile": Param(
        os.environ.get("PIPELINE_PROFILE") or "sst2",
        type="string",
        enum=PROFILES,
        description="Table of `pipeline.toml`: which data, which model, which names on AWS.",
        section="What",
    ),
    "compute": Param(
        "local",
        type="string",
        enum=["local", "sagemaker"],
        description="Where to train: on the worker that runs the task, or in a SageMaker job.",
        section="Training",
    ),
    "epochs": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=100,
        description="Passes over the training set. Empty: the profile's.",
        section="Training",
    ),
    "learning_rate": Param(
        None,
        type=["null", "number"],
        exclusiveMinimum=0,
        maximum=1,
        description="Peak learning rate of the backbone. Empty: the profile's.",
        section="Training",
    ),
    "reinforce": Param(
        "as the profile says",
        type="string",
        enum=list(REINFORCE),
        description="Train the gate with REINFORCE, to keep few tokens.",
        section="Training",
    ),
    "min_accuracy": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        description="The bar: below it nothing is deployed. Empty: the profile's.",
        section="Release",
    ),
    "override": Param(
        None,
        type=["null", "string"],
        description="Why a model that fails a rule of the gate goes on. Recorded, and mailed.",
        section="Release",
    ),
    "deploy": Param(
        os.environ.get("PIPELINE_DEPLOY") or "none",
        type="string",
        enum=["none", "staging", "production"],
        description="How far a model that reaches the bar goes; production is behind staging.",
        section="Release",
    ),
}

# An error of AWS or of the network passes, a killed step goes on where it ended: 30 s, 1 min,
# 2 min. What a retry cannot change fails at once, see `HOPELESS` in t5_steps.py.
DEFAULTS = {
    "owner": "t5-sentiment",
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(minutes=30),
}


@dag(
    schedule=os.environ.get("PIPELINE_SCHEDULE") or None,  # cron; empty: by hand, by REST, by asset
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # the runs of a profile share a work folder
    dagrun_timeout=timedelta(days=2),
    default_args=DEFAULTS,
    params=PARAMS,
    tags=["t5-sentiment"],
    doc_md=__doc__,
)
def t5_mlops_pipeline() -> None:
    """Train or reuse, judge, ship to staging and then to production, and tell."""
    check_data = StepOperator(task_id="check_data")
    train_or_reuse = ReuseBranch(task_id="train_or_reuse", train="train", reuse="export")
    train = StepOperator(
        task_id="train",
        pool=TRAINING_POOL,
        queue=os.environ.get("PIPELINE_TRAINING_QUEUE") or "default",
        execution_timeout=timedelta(days=1),
    )
    export = StepOperator(task_id="export", trigger_rule="none_failed_min_one_success")
    evaluate = StepOperator(task_id="evaluate", execution_timeout=timedelta(hours=2))
    package_model = StepOperator(task_id="package_model")
    check_data >> train_or_reuse >> [train, export]
    train >> export >> evaluate >> package_model

    staging = ship.override(group_id="staging")("staging")
    production = ship.override(group_id="production")("production")
    package_model >> staging >> production
    package_model >> production
    # Teardowns: they run whatever failed, and their own failure changes no result.
    report = ReportOperator(task_id="report").as_teardown()
    production >> report >> NotifyOperator(task_id="notify").as_teardown()


@task_group
def ship(environment: str) -> None:
    """Deploy to one environment, and keep there only what answers as it was judged."""
    in_production = environment == "production"
    deploy_endpoint = StepOperator(
        task_id="deploy_endpoint",
        environment=environment,
        # Production follows staging, and also where staging is skipped; never where it failed.
        trigger_rule="none_failed_min_one_success" if in_production else "all_success",
        execution_timeout=timedelta(hours=1),
        links=[ArtefactLink("Endpoint"), ArtefactLink("Report")],
    )
    # Where it fails, it puts the endpoint back to the release before.
    create_api = StepOperator(
        task_id="create_api",
        environment=environment,
        redo=["deploy_endpoint"],
        links=[ArtefactLink("API")],
    )
    smoke_test = StepOperator(
        task_id="smoke_test",
        environment=environment,
        links=[ArtefactLink("API"), ArtefactLink("Report")],
        outlets=[Asset("sentiment-model")] if in_production else [],
    )
    create_alarms = StepOperator(task_id="create_alarms", environment=environment)
    deploy_endpoint >> create_api >> smoke_test >> create_alarms


t5_mlops_pipeline()
