"""What `bench.serving` measures without HTTP: the handlers, the model, batches, and the floor.

The floor is the time that the model's weights take at best: as many int8 operations as they need,
at the speed of this machine's fastest product, or their bytes read once, whichever is longer.
"""

import importlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from pipeline_steps.serving_process import SERVER

BATCH = 32
TRIES = 5  # of each call


@dataclass(frozen=True)
class Inside:
    """Milliseconds of one text's handlers, model and floor; `product` in operations a second."""

    handlers: float
    model: float
    floor: float
    product: float


def measure(folder: Path, texts: Sequence[str]) -> Inside:
    """Time the model of `folder` in this process on `texts`, one by one."""
    inference, payload, model = _load(folder)
    ids = [np.array([model.tokenizer.encode(text).ids]) for text in texts]
    requests = [payload.Request([text]) for text in texts]
    handlers = [partial(inference.predict_fn, request, model) for request in requests]
    alone = [partial(model.runtime.run, each, np.ones_like(each)) for each in ids]
    weights = _weights(folder / "model.onnx")
    product = int8_speed()
    tokens = float(np.median([each.shape[1] for each in ids]))
    computing = 2 * tokens * weights / product
    reading = weights / _read_speed(weights)
    model_ms, floor_ms = median_ms(alone), 1e3 * max(computing, reading)
    # As the requests over HTTP are timed, with which they are compared: once each.
    return Inside(median_ms(handlers, tries=1), model_ms, floor_ms, product)


def batches(folder: Path, texts: Sequence[str], repeats: int) -> tuple[float, float]:
    """Milliseconds of `BATCH` texts one by one, and as one padded batch of neighbours in length."""
    _, _, model = _load(folder)
    by_length = sorted(texts, key=len)
    starts = [len(by_length) * number // (repeats + 1) for number in range(repeats)]
    chosen = [by_length[start : start + BATCH] for start in starts]

    def run(batch: Sequence[str]) -> None:
        encodings = model.tokenizer.encode_batch(list(batch))
        ids = np.array([encoding.ids for encoding in encodings])
        model.runtime.run(ids, np.array([encoding.attention_mask for encoding in encodings]))

    def one_by_one(batch: Sequence[str]) -> None:
        for text in batch:
            run([text])

    alone = median_ms([partial(one_by_one, batch) for batch in chosen])
    return alone, median_ms([partial(run, batch) for batch in chosen])


def _load(folder: Path) -> tuple[Any, Any, Any]:
    if str(SERVER.parent) not in sys.path:
        sys.path.insert(0, str(SERVER.parent))
    inference, payload = (importlib.import_module(name) for name in ("inference", "payload"))
    return inference, payload, inference.model_fn(str(folder))


def median_ms(calls: Sequence[Callable[[], Any]], tries: int = TRIES) -> float:
    """The median of the calls' times, each the fastest of `tries`: what other processes of the
    machine take away is not the model's."""
    calls[0]()  # warms up
    fastest = []
    for call in calls:
        seconds = []
        for _ in range(tries):
            began = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - began)
        fastest.append(min(seconds))
    return 1e3 * float(np.median(fastest))


def _weights(path: Path) -> int:
    """The int8 weights that multiply every token."""
    graph = onnx.load(path).graph
    used = {name for node in graph.node if node.op_type == "MatMulInteger" for name in node.input}
    return sum(
        item.dims[0] * item.dims[1]
        for item in graph.initializer
        if item.name in used and len(item.dims) == 2
    )


def int8_speed() -> float:
    """Operations a second of one core's int8 matrix product, at a shape that suits it."""
    size = 1024
    weight = np.random.default_rng(0).integers(-64, 64, (size, size), dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "floor",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [size, size])],
        [helper.make_tensor_value_info("c", TensorProto.INT32, [size, size])],
        [onnx.numpy_helper.from_array(weight, "b")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    inputs = {"a": np.full((size, size), 3, dtype=np.uint8)}
    fastest = min(median_ms([lambda: session.run(None, inputs)]) for _ in range(10))
    return 2 * size**3 / (fastest / 1e3)


def _read_speed(count: int) -> float:
    """Bytes a second in which one core reads `count` bytes over and over."""
    block = np.zeros(count // 8, dtype=np.int64)
    fastest = min(median_ms([block.max]) for _ in range(10))
    return count / (fastest / 1e3)
