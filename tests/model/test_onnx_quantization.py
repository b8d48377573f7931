"""ONNX: the same answers as PyTorch, in the smallest precision that is accurate enough."""

import copy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import runtime_onnx
import torch

from model import onnx_export, onnx_quantization
from model.backbone import load_model
from model.checkpoint import quiet_transformers
from model.modeling import T5ForSentimentClassification
from model.onnx_export import OnnxExportError, export_onnx, largest_difference
from model.onnx_quantization import Candidate, Sentences, choose, points_lost, rank_layers
from model.onnx_session import OnnxSession

SEQUENCES = [[*range(3, 3 + length), 1] for length in (1, 5, 30, 90)]


@pytest.fixture(scope="module")
def model() -> T5ForSentimentClassification:
    model = load_model("random:tiny", vocab_size=120, seed=1).eval()
    # A fresh gate is flat, and weights of 0 would hide any mistake.
    torch.nn.init.normal_(model.gate.linear.weight, generator=torch.Generator().manual_seed(1))
    return model


@pytest.fixture(scope="module")
def exact(model: T5ForSentimentClassification, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    with quiet_transformers():
        model.save_pretrained(folder)
    path = folder / "model.onnx"
    export_onnx(folder, path, SEQUENCES)
    return path


@pytest.fixture(scope="module")
def sentences(exact: Path) -> dict[str, Sentences]:
    """Labelled as the float32 model would."""
    labels = OnnxSession(exact).logits(SEQUENCES).argmax(axis=1).tolist()
    return {"validation": Sentences(SEQUENCES, labels)}


def test_onnx_answers_as_pytorch(model: T5ForSentimentClassification, exact: Path) -> None:
    assert largest_difference(model, OnnxSession(exact), SEQUENCES) < 1e-4


def test_padded_batch_is_answered_as_pytorch_does(
    model: T5ForSentimentClassification, exact: Path
) -> None:
    tensors = [torch.tensor(sequence) for sequence in SEQUENCES]
    ids = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)  # (B, T)
    mask = (ids != 0).long()
    logits, gates = runtime_onnx.load(exact.parent).run(ids.numpy(), mask.numpy())
    with torch.inference_mode():
        want = model(input_ids=ids, attention_mask=mask)
    assert np.abs(logits - want.logits.numpy()).max() < 1e-4
    assert np.abs(gates - want.gate_scores.numpy()).max() < 1e-4


def test_each_norm_is_one_operation(
    model: T5ForSentimentClassification, exact: Path, tmp_path: Path
) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(exact), options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    # Two a layer and one at the end.
    norms = sum(node.op_type == "SimplifiedLayerNormalization" for node in nodes)
    assert norms == 2 * model.config.num_layers + 1


def test_other_answers_than_pytorch_are_refused(
    exact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "TOLERANCE", 0.0)
    with pytest.raises(OnnxExportError, match="differs from the checkpoint by"):
        export_onnx(exact.parent, tmp_path / "model.onnx", SEQUENCES)


def test_model_that_computes_nan_is_refused(
    model: T5ForSentimentClassification, tmp_path: Path
) -> None:
    broken = copy.deepcopy(model)
    torch.nn.init.constant_(broken.classifier.bias, float("nan"))
    with quiet_transformers():
        broken.save_pretrained(tmp_path)
    with pytest.raises(OnnxExportError, match="are no finite numbers"):
        export_onnx(tmp_path, tmp_path / "model.onnx", SEQUENCES)


def test_int8_is_taken_where_it_loses_nothing(
    exact: Path, tmp_path: Path, sentences: dict[str, Sentences]
) -> None:
    first, chosen = choose(exact, tmp_path / "int8.onnx", sentences, 0)
    assert (first.name, chosen.name) == ("fp32", "int8")
    answers = OnnxSession(tmp_path / "int8.onnx").logits(SEQUENCES)
    assert np.abs(answers - OnnxSession(exact).logits(SEQUENCES)).max() < 0.2


def test_layers_that_do_most_harm_are_kept(
    exact: Path, tmp_path: Path, sentences: dict[str, Sentences], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a measure by which int8 loses too much unless layers are kept
    lost = onnx_quantization.points_lost
    monkeypatch.setattr(
        onnx_quantization,
        "points_lost",
        lambda exact, other: lost(exact, other) if other.kept else 1.0,
    )
    *_, chosen = choose(exact, tmp_path / "mixed.onnx", sentences, 0.3)
    # THEN the worst of them stay in float32, and the file is larger for it
    assert chosen.name == "int8, 2 of 15 layers fp32"
    assert chosen.kept == rank_layers(exact, SEQUENCES)[:2]


def test_float32_ships_where_no_other_is_accurate_enough(
    exact: Path, tmp_path: Path, sentences: dict[str, Sentences]
) -> None:
    tried = choose(exact, tmp_path / "fp32.onnx", sentences, -1)
    assert [candidate.name for candidate in tried] == [
        "fp32", "int8", "int8, 2 of 15 layers fp32", "int8, 4 of 15 layers fp32",
        "int8, 8 of 15 layers fp32", "fp32",
    ]  # fmt: skip
    assert (tmp_path / "fp32.onnx").read_bytes() == exact.read_bytes()


def test_points_are_of_the_set_that_loses_most() -> None:
    exact = Candidate("fp32", 0, {"training": 0.95, "validation": 0.90}, [])
    other = Candidate("int8", 0, {"training": 0.94, "validation": 0.91}, [])
    assert points_lost(exact, other) == pytest.approx(1.0)
