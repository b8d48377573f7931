"""Each AWS operation of a training in a job, and of the checkpoints' store, with one fault."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest

from bench.faults.injection import FAULTS, FaultyClients, Injector, Killed
from bench.faults.matrix import sample
from bench.faults.world import World
from local_aws.server import BUCKET
from pipeline_steps import checkpoint_store, training_job, training_source
from pipeline_steps import settings as settings_module
from pipeline_steps.errors import PipelineError
from pipeline_steps.settings import Settings
from tests.pipeline_steps.quick_job import PLAN, program

QUICK = {"compute": "sagemaker", "poll_seconds": 0.02, "role_timeout": 1, "bucket": BUCKET}


@pytest.fixture(autouse=True)
def quick_program() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_source, "PROGRAM_TEXT", program())
        yield


def settings_of(world: World, name: str) -> Settings:
    """Settings under a name that nothing was ever trained under."""
    made = settings_module.load("demo", world.folder / name, QUICK | {"name": name})
    made.work_dir.mkdir(parents=True)
    return made


def train(settings: Settings, injector: Injector) -> None:
    """As the step does: find, or train and keep; and find again as another machine would."""
    clients = FaultyClients()
    clients.injector = injector
    try:
        made = checkpoint_store.find(settings, clients, PLAN.fingerprint)
        made = made or training_job.train_in_job(settings, clients, PLAN)
        checkpoint_store.keep(settings, clients, made)
        shutil.rmtree(settings.work_dir / checkpoint_store.CHECKPOINT)
        assert checkpoint_store.find(settings, clients, PLAN.fingerprint) == made
    finally:
        injector.close()


def test_training_survives_a_fault_in_each_operation(world: World) -> None:
    injector = Injector()
    train(settings_of(world, "undisturbed"), injector)
    pairs = sample(injector.calls, FAULTS)
    assert {call.operation for call, _ in pairs} >= {"CreateTrainingJob", "GetLogEvents"}
    for number, (call, fault) in enumerate(pairs):
        settings = settings_of(world, f"train{number}")
        # WHEN one call is broken THEN the run goes on over it, or says which, or is killed
        broken = Injector(call, fault)
        with contextlib.suppress(Killed):
            try:
                train(settings, broken)
            except PipelineError as error:
                assert call.operation in str(error), (call, fault)
        assert broken.hits, (call, fault)
        # AND the same command completes, with one job and nothing besides
        train(settings, Injector())
        found = world.aws.client("sagemaker").list_training_jobs(
            NameContains=f"{settings.deploy.name}-"
        )
        assert len(found["TrainingJobSummaries"]) == 1, (call, fault)
