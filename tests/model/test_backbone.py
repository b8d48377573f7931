"""Backbones: random, from folders good and broken, and a hub out of reach."""

from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from transformers import T5Config, T5EncoderModel

from model import backbone
from model.backbone import BackboneError, HubName, backbone_id, load_model

SIZES = {"vocab_size": 60, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    T5EncoderModel(T5Config(**SIZES)).save_pretrained(tmp_path / "backbone")
    return tmp_path / "backbone"


def test_random_backbone_repeats_by_seed():
    one, same, other = (load_model("random:tiny", vocab_size=50, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert torch.equal(one.shared.weight, same.shared.weight)
    assert not torch.equal(one.shared.weight, other.shared.weight)


def test_loading_leaves_random_state():
    before = torch.get_rng_state()
    load_model("random:tiny", vocab_size=50, seed=5)
    assert torch.equal(torch.get_rng_state(), before)


def test_t5_small_has_its_size():
    with torch.device("meta"):
        model = load_model("random:t5-small", vocab_size=32100)
    # 35.3 M of encoder and embedding, 513 of the gate, 1,026 of the head.
    assert sum(weight.numel() for weight in model.parameters()) == 35_330_816 + 513 + 1_026


def test_settings_reach_the_model(folder: Path):
    model = load_model(
        str(folder), vocab_size=60, pooling="mean", dropout=0.25, max_input_tokens=40
    )
    assert model.dropout.p == model.encoder.dropout.p == 0.25
    assert (model.config.pooling, model.config.max_input_tokens) == ("mean", 40)
    assert model.dtype == torch.float32


def test_folder_id_follows_its_bytes(folder: Path):
    before = backbone_id(str(folder))
    assert before == backbone_id(str(folder))
    config = folder / "config.json"
    config.write_text(config.read_text() + "\n")
    assert backbone_id(str(folder)) != before


def test_pinned_names_need_no_network():
    commit = "df1b051c49625cf57a3d0d8d3863ed4d13564fe4"
    assert backbone_id("t5-small") == f"t5-small@{commit}"
    assert backbone_id(f"some/model@{commit}") == f"some/model@{commit}"
    assert HubName.parse("t5-small@main") == HubName("t5-small", "main")


def test_random_id_tells_sizes_apart():
    assert backbone_id("random:tiny") != backbone_id("random:t5-small")


def test_folder_without_weights_lists_content(folder: Path):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        BackboneError, match=r"no \*\.safetensors.*config\.json, pytorch_model\.bin"
    ):
        load_model(str(folder), vocab_size=60)


def test_folder_without_config_is_refused(folder: Path):
    (folder / "config.json").unlink()
    with pytest.raises(BackboneError, match=r"has no config\.json; it holds: model\.safetensors"):
        backbone_id(str(folder))


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_truncated_weights_are_named(folder: Path, kept: int):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(BackboneError, match=r"model\.safetensors .*bytes.*Fetch the file again"):
        load_model(str(folder), vocab_size=60)


def test_garbage_weights_are_named(folder: Path):
    (folder / "model.safetensors").write_bytes(b"\x10" + bytes(7) + b"not json at all!")
    with pytest.raises(BackboneError, match="no readable safetensors header"):
        load_model(str(folder), vocab_size=60)


def test_incomplete_weights_are_refused(folder: Path):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["encoder.final_layer_norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BackboneError, match=r"encoder\.final_layer_norm\.weight"):
        load_model(str(folder), vocab_size=60)


def test_too_small_vocabulary_is_refused(folder: Path):
    with pytest.raises(BackboneError, match="embeds 60 tokens but the tokenizer has 32,100"):
        load_model(str(folder), vocab_size=32100)


def test_much_larger_vocabulary_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backbone, "MOST_UNUSED", 20)
    with pytest.raises(BackboneError, match="embeds 60 tokens but the tokenizer has 30"):
        load_model(str(folder), vocab_size=30)
    assert load_model(str(folder), vocab_size=40).config.vocab_size == 60


def test_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(BackboneError, match="No backbone folder at"):
        load_model(str(tmp_path / "nowhere"), vocab_size=60)


def test_unknown_random_lists_known():
    with pytest.raises(BackboneError, match=r"'random:huge'.*random:tiny, random:t5-small"):
        backbone_id("random:huge")


def test_unreachable_hub_names_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for use in (lambda: load_model("nobody/nothing", vocab_size=60),
                lambda: backbone_id("nobody/nothing")):  # fmt: skip
        with pytest.raises(BackboneError, match=r"'nobody/nothing'.*local folder"):
            use()


def test_standin_backbone_loads(shared: Path):
    model = load_model(str(shared / "models" / "t5-reviews-mini"), vocab_size=32100)
    assert model.config.d_model == 256
    assert model.shared.weight.abs().sum() > 0
