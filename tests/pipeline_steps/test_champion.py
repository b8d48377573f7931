"""The model to beat: found in the registry, compared row by row, and gone without breaking."""

import dataclasses
from pathlib import Path

import pytest
from sklearn.metrics import f1_score

from local_aws.server import LocalAws
from model.data import read_splits
from pipeline_steps import champion, evaluate, registry, releases
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.errors import GateNotMetError
from pipeline_steps.evaluation_artefacts import Champion, Evaluation, Rule
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.predictions import Predictions, hash_of_rows
from pipeline_steps.release_artefacts import ReleaseRecord
from pipeline_steps.settings import Settings
from tests.pipeline_steps import stand_in

OLD, NEW = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
SPLITS = read_splits("demo")


class World:
    """A registry with one approved model that has `wrong` answers wrong, and a candidate."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.clients, self.folder = settings, Clients(), folder
        self.key = f"{settings.deploy.name}/{OLD}/{'0' * 16}"

    @property
    def url(self) -> str:
        return f"s3://{self.settings.deploy.bucket}/{self.key}/model.tar.gz"

    def put(self, name: str, body: bytes) -> None:
        bucket = self.settings.deploy.bucket
        self.clients.s3.put_object(Bucket=bucket, Key=f"{self.key}/{name}", Body=body)

    def approve(self, wrong: set[int], *, with_predictions: bool) -> None:
        tarball = self.folder / "model.tar.gz"
        stand_in.tarball(tarball, OLD, answers(wrong))
        self.put("model.tar.gz", tarball.read_bytes())
        if with_predictions:
            self.put("predictions.json", self.predictions(wrong).text().encode())
        manifest = Manifest(
            model_version=OLD, fingerprint=OLD, trained_at={}, exported_at={}, data_hash="d",
            data_source="demo", settings={}, metrics={}, package_versions={}, files={},
            tarball_sha256="0" * 64, tarball_bytes=1,
        )  # fmt: skip
        registry.register(self.settings, self.clients.sagemaker, manifest, "image", self.url)

    def predictions(self, wrong: set[int]) -> Predictions:
        told = answers(wrong)
        rows = SPLITS.validation
        positive = [0.9 if told[row.sentence] else 0.1 for row in rows]
        return Predictions(OLD, "", hash_of_rows(rows), positive)

    def judge(self, wrong: set[int]) -> Champion:
        """Evaluate a candidate that has the rows `wrong` wrong."""
        stand_in.exported(self.settings, SPLITS, NEW, answers(wrong))
        evaluate.run(self.settings, self.clients)
        return self.compared()

    def compared(self) -> Champion:
        found = Evaluation.load(self.settings.work_dir).champion
        assert found is not None
        return found

    def rule(self) -> Rule:
        rules = Evaluation.load(self.settings.work_dir).rules
        return next(rule for rule in rules if rule.name == "champion")


def answers(wrong: set[int]) -> dict[str, int]:
    rows = enumerate(SPLITS.validation)
    return {row.sentence: 1 - row.label if n in wrong else row.label for n, row in rows}


@pytest.fixture
def world(aws: LocalAws, tmp_path: Path) -> World:
    return World(settings_module.load("demo", tmp_path / "build", {"min_accuracy": 0.5}), tmp_path)


@pytest.mark.parametrize("with_predictions", [True, False])
def test_discordant_rows_are_counted(world: World, with_predictions: bool) -> None:
    # GIVEN a champion with rows 0 to 39 wrong, and a candidate with rows 30 to 49
    world.approve(set(range(40)), with_predictions=with_predictions)
    found = world.judge(set(range(30, 50)))
    assert (found.model_version, found.rows, found.reason) == (OLD, len(SPLITS.validation), None)
    assert (found.only_candidate_right, found.only_champion_right) == (30, 10)
    assert found.accuracy == pytest.approx(1 - 40 / len(SPLITS.validation))
    assert found.p_value == pytest.approx(0.00222, abs=1e-5)  # statsmodels' mcnemar(exact=True)
    assert world.rule().verdict == "pass"
    # AND its own figures are known: each score is 0.9, and 920 of 960 are right
    assert found.ece == pytest.approx(920 / 960 - 0.9)
    assert found.brier == pytest.approx((920 * 0.1**2 + 40 * 0.9**2) / 960)
    truth, told = [row.label for row in SPLITS.validation], answers(set(range(40)))
    assert found.f1 == pytest.approx(
        f1_score(truth, [told[row.sentence] for row in SPLITS.validation])
    )


def test_worse_model_is_stopped(world: World) -> None:
    world.approve(set(), with_predictions=True)
    with pytest.raises(GateNotMetError, match=r"against 1\.000 of aaaaaaaaaaaa on the same 960"):
        world.judge(set(range(40)))
    assert world.rule().verdict == "fail"
    assert world.rule().value == pytest.approx(-100 * 40 / 960)


def test_margin_and_chance_are_borne(world: World) -> None:
    # GIVEN 4 rows of 960 more wrong, within half a point
    world.approve(set(), with_predictions=True)
    world.judge(set(range(4)))
    assert world.rule().verdict == "pass"
    # AND 10 more wrong, which chance explains, as the two differ on 90 rows
    world.put("predictions.json", world.predictions(set(range(40))).text().encode())
    world.judge(set(range(40, 90)))
    assert world.compared().p_value == pytest.approx(0.343, abs=1e-3)
    assert world.rule().verdict == "warn"


def test_answers_to_other_rows_are_not_used(world: World) -> None:
    world.approve(set(range(40)), with_predictions=False)
    other = dataclasses.replace(world.predictions(set()), rows_hash="of other rows")
    world.put("predictions.json", other.text().encode())
    assert world.judge(set()).only_candidate_right == 40


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"positive": []}', "too few"])
def test_unreadable_answers_are_asked_anew(world: World, kept: str) -> None:
    # GIVEN a file beside the champion's tarball that was cut, or is another than it is called
    world.approve(set(range(40)), with_predictions=False)
    if kept == "too few":
        whole = world.predictions(set())
        kept = dataclasses.replace(whole, positive=whole.positive[:-1]).text()
    world.put("predictions.json", kept.encode())
    assert world.judge(set()).only_candidate_right == 40


def test_gone_artefact_is_said_and_the_rest_judges(world: World) -> None:
    world.approve(set(), with_predictions=False)
    bucket = world.settings.deploy.bucket
    world.clients.s3.delete_object(Bucket=bucket, Key=f"{world.key}/model.tar.gz")
    found = world.judge(set(range(40)))
    assert found.reason is not None
    assert found.reason.endswith(f"its artefact {world.url} is gone.")
    assert world.rule().verdict == "warn"
    assert "accuracy" in {rule.name for rule in Evaluation.load(world.settings.work_dir).rules}


def test_artefact_that_cannot_answer_is_said(world: World) -> None:
    world.approve(set(), with_predictions=False)
    world.put("model.tar.gz", b"no tarball")
    reason = world.judge(set()).reason
    assert reason is not None
    assert "does not answer" in reason


def test_last_release_stands_in_for_the_registry(world: World) -> None:
    assert world.judge(set()).reason == (
        "There is no model to compare with yet: none is approved or released."
    )
    assert world.rule().verdict == "pass"
    tarball = world.folder / "model.tar.gz"
    stand_in.tarball(tarball, OLD, answers({7}))
    world.put("model.tar.gz", tarball.read_bytes())
    released = ReleaseRecord(
        released_at="2026-01-01T00:00:00Z", reason="release", model_version=OLD,
        endpoint_name="e", endpoint_config_name="c", function_version="1",
        model_data_url=world.url, tarball_sha256="f" * 64, model_package_arn="arn", git={},
        replaced=None,
    )  # fmt: skip
    releases.record(world.settings, world.clients, released)
    assert world.judge(set()).only_candidate_right == 1


def test_known_comparison_is_not_made_again(world: World) -> None:
    world.approve({1, 2}, with_predictions=True)
    known = world.judge(set())
    for name in ("predictions.json", "model.tar.gz"):
        bucket = world.settings.deploy.bucket
        world.clients.s3.delete_object(Bucket=bucket, Key=f"{world.key}/{name}")
    assert evaluate.run(world.settings, world.clients).status == "reused"
    assert world.compared() == known


def test_without_a_bucket_nothing_is_asked(tmp_path: Path) -> None:
    settings = settings_module.load("demo", tmp_path)
    found = champion.compare(settings, Clients(), Predictions(NEW, "", "", []), None)
    assert found.reason == "There is no model to compare with: MODEL_BUCKET is not set."
