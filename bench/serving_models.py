"""The models that `bench.serving` compares: random weights, real sizes, one tokenizer for all."""

import importlib.metadata
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForSequenceClassification,
)

from model.backbone import RANDOM, load_model
from model.checkpoint import quiet_transformers, save_model
from model.onnx_export import export_onnx
from model.onnx_quantization import quantize
from pipeline_steps.export import CODE, REPOSITORY

LONGEST = 512  # tokens
VERSION = "0123456789ab"
EXACT = "fp32"  # the folder of our model in ONNX before it is made int8


def make(folder: Path, tokenizer: PreTrainedTokenizerFast) -> dict[str, Path]:
    """Leave in `folder` what each system serves, as its `model.tar.gz` would unpack."""
    tokenizer.model_max_length = LONGEST
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    model = load_model("random:t5-small", vocab_size=len(tokenizer), max_input_tokens=LONGEST)
    model.config.model_version = VERSION
    made = {name: folder / name for name in ("onnx", EXACT, "pytorch", "t5", "distilbert")}
    save_model(model, tokenizer, made["pytorch"])
    for name in ("onnx", EXACT):
        made[name].mkdir()
        for file in ("config.json", "tokenizer.json"):
            shutil.copyfile(made["pytorch"] / file, made[name] / file)
    exact = made[EXACT] / "model.onnx"
    export_onnx(made["pytorch"], exact, [tokenizer("a fine film")["input_ids"]])
    quantize(exact, made["onnx"] / "model.onnx", [])
    for runtime in CODE:
        for source in CODE[runtime]:
            target = made[runtime] / "code" / source.removeprefix("serving/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / source, target)
    sizes = RANDOM["random:t5-small"]
    config: dict[str, Any] = {"num_labels": 2, "decoder_start_token_id": 0, **sizes}
    _save(T5ForSequenceClassification(T5Config(**config)), tokenizer, made["t5"])
    # Its own vocabulary has 30,522 pieces; a larger table costs no time.
    config = {"num_labels": 2, "vocab_size": sizes["vocab_size"]}
    _save(
        DistilBertForSequenceClassification(DistilBertConfig(**config)),
        tokenizer,
        made["distilbert"],
    )
    return made


def _save(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    with quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def long_text(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> str:
    """As many words of `texts` as `LONGEST` tokens hold."""
    words = " ".join(texts).split()[:LONGEST]
    while len(tokenizer.backend_tokenizer.encode(" ".join(words)).ids) > LONGEST:
        words.pop()
    return " ".join(words)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def installed_bytes(names: Iterable[str]) -> int:
    """Bytes of these packages, and of no others, as they are installed here."""
    files = (file for name in names for file in importlib.metadata.distribution(name).files or ())
    paths = (Path(str(file.locate())) for file in files)
    return sum(path.stat().st_size for path in paths if path.is_file())


def with_dependencies(names: Iterable[str]) -> set[str]:
    """These packages and all that they need, of what is installed here."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # what only another system or Python needs
        if name not in seen:
            seen.add(name)
            needed = (text for text in package.requires or () if "extra ==" not in text)
            waiting += [match[0] for text in needed if (match := re.match(r"[\w.-]+", text))]
    return seen
