"""The model card: in the hub's format, with the report's numbers, the same for the same model."""

import dataclasses
import tarfile

from huggingface_hub import ModelCard

from pipeline_steps import model_card, package_model
from pipeline_steps.aws import Clients
from pipeline_steps.evaluation_artefacts import Evaluation, Footprint, Rule
from pipeline_steps.model_artefacts import DataReport, ExportReport, Manifest, TrainingReport
from pipeline_steps.report_content import percent
from pipeline_steps.settings import Settings
from tests.pipeline_steps.judged import judged


def card_of(settings: Settings, evaluation: Evaluation, **of_training: str) -> str:
    trained = TrainingReport.load(settings.work_dir / "checkpoint")
    trained = dataclasses.replace(trained, inputs=trained.inputs | of_training)
    return model_card.card(settings, evaluation, trained, ExportReport.load(settings.work_dir))


def test_card_is_read_back_by_the_hubs_own_reader(packaged: Settings) -> None:
    evaluation = judged(Evaluation.load(packaged.work_dir))
    card = ModelCard(card_of(packaged, evaluation))
    results = {each.metric_type: each.metric_value for each in card.data.eval_results or []}
    assert results["accuracy"] == round(evaluation.accuracy, 4)
    assert set(results) == {"accuracy", "f1", "expected_calibration_error", "brier_score"}
    assert card.data.model_name == f"t5-sentiment-{evaluation.model_version}"
    # AND its text has the report's numbers, and what the model does worst
    assert f"| accuracy | {percent(evaluation.accuracy)} | {percent(0)} (met) |" in card.text
    assert f"it does worst on negation ({percent(0.88)})" in card.text
    assert f"used to, but now ({percent(0.9)})" in card.text
    assert "\n\n\n" not in card.text


def test_card_links_to_the_hub_what_is_of_the_hub(packaged: Settings) -> None:
    evaluation = Evaluation.load(packaged.work_dir)
    local = ModelCard(card_of(packaged, evaluation)).data
    assert (local.datasets, local.base_model) == (None, None)
    data = DataReport.load(packaged.work_dir)
    dataclasses.replace(data, source="stanfordnlp/sst2").save(packaged.work_dir)
    there = ModelCard(card_of(packaged, evaluation, backbone="google-t5/t5-small@df1b051c")).data
    assert (there.datasets, there.base_model) == (["stanfordnlp/sst2"], "google-t5/t5-small")


def test_card_tells_that_a_person_let_it_ship(packaged: Settings) -> None:
    told = "**A person let it ship though not all rules hold:** &lt;b&gt;demo&lt;/b&gt; day"
    good = dataclasses.replace(Evaluation.load(packaged.work_dir), override="<b>demo</b> day")
    bad = dataclasses.replace(good, rules=[Rule("accuracy", "fail", 0.5, 0.9, "It is low.")])
    assert told in card_of(packaged, bad)
    # AND of a model that needed none, nothing of the kind is said, whatever reason was given
    assert not good.failed
    assert "A person let it ship" not in card_of(packaged, good)


def test_what_differs_between_equal_runs_is_not_in_the_card(packaged: Settings) -> None:
    evaluation = judged(Evaluation.load(packaged.work_dir))
    slower = dataclasses.replace(evaluation, footprint=Footprint(0.7, 99.0, 199.0), champion=None)
    assert card_of(packaged, evaluation) == card_of(packaged, slower)


def test_card_is_packed_with_the_model(packaged: Settings) -> None:
    with tarfile.open(packaged.work_dir / package_model.TARBALL) as tar:
        file = tar.extractfile(model_card.FILE)
        assert file is not None
        text = file.read().decode()
    assert text == card_of(packaged, Evaluation.load(packaged.work_dir))
    assert model_card.FILE in Manifest.load(packaged.work_dir).files
    # AND packing it again finds it done
    assert package_model.run(packaged, Clients()).status == "reused"
