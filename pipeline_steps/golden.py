"""Golden answers: what the evaluated candidate said, and what everything after it must say too."""

import json
from collections.abc import Iterator
from typing import Any

from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.text_source import bounded

TEXTS_PER_REQUEST = 256
MAX_CHARACTERS = 10_000  # of a text that the API takes
# In probability. Another processor rounds floats otherwise, which shows in the sixth digit. An int8
# model turns a difference in the last bit into a step of 1/255 of an activation now and then:
# simulated by changing the weights in their last bits, 872 answers moved by 0.0035 at most, and no
# label changed.
FLOAT_TOLERANCE, INT8_TOLERANCE = 1e-3, 0.01


def ask(
    server: ServingProcess, texts: list[str], *, explain: bool = False
) -> Iterator[dict[str, Any]]:
    """The predictions of `server` for `texts`, in order, in requests of a bounded size.

    With `explain` each has the gates of its tokens.

    Raises:
        ServingError: a request was refused; the message holds the answer.
    """
    parameters = b', "parameters": {"explain": true}' if explain else b""
    for chunk in bounded((json.dumps(text).encode() for text in texts), TEXTS_PER_REQUEST):
        answer = server.invoke(b'{"inputs": [%b]%b}' % (b", ".join(chunk), parameters))
        if answer.status_code != 200:
            raise ServingError(f"The candidate answered {answer.status_code}: {answer.text}")
        predictions = answer.json()["predictions"]
        if len(predictions) != len(chunk):
            raise ServingError(f"{len(chunk)} texts had {len(predictions)} answers.")
        yield from predictions


def predict(server: ServingProcess, texts: list[str]) -> Iterator[GoldenAnswer]:
    """The answers of `server` to `texts`, in order.

    Raises:
        ServingError: a request was refused; the message holds the answer.
    """
    for text, prediction in zip(texts, ask(server, texts), strict=True):
        yield GoldenAnswer(text, prediction["label"], prediction["score"])


def choose(answers: list[GoldenAnswer], count: int) -> list[GoldenAnswer]:
    """`count` answers spread evenly over the validation split, the same ones each time."""
    askable = [answer for answer in answers if len(answer.text) <= MAX_CHARACTERS]
    step = max(1, len(askable) // count)
    return askable[::step][:count]


def tolerance(evaluation: Evaluation) -> float:
    """How far a score may be from the evaluated one; ONNX is taken to be int8."""
    return FLOAT_TOLERANCE if evaluation.fp32_accuracy is None else INT8_TOLERANCE


def disagreement(evaluation: Evaluation, answered: list[GoldenAnswer]) -> str | None:
    """The first answer that is not the golden one, in words; None where all agree."""
    allowed = tolerance(evaluation)
    for want, got in zip(evaluation.golden, answered, strict=True):
        if want.label != got.label or abs(want.score - got.score) > allowed:
            return (
                f"{want.text!r} is {got.label} {got.score:.4f}, but was evaluated as "
                f"{want.label} {want.score:.4f}"
            )
    return None
