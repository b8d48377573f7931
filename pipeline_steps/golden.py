"""Golden answers: what the evaluated candidate said, and what everything after it must say too."""

import json
from collections.abc import Iterator

from pipeline_steps.artefacts import GoldenAnswer
from pipeline_steps.serving_process import ServingError, ServingProcess

TEXTS_PER_REQUEST = 256
MAX_CHARACTERS = 10_000  # of a text that the API takes
TOLERANCE = 1e-3  # in probability: float rounding on another processor, never another answer


def predict(server: ServingProcess, texts: list[str]) -> Iterator[GoldenAnswer]:
    """Ask `server` for `texts`, in order and in requests of a bounded size.

    Raises:
        ServingError: a request was refused; the message holds the answer.
    """
    for start in range(0, len(texts), TEXTS_PER_REQUEST):
        chunk = texts[start : start + TEXTS_PER_REQUEST]
        answer = server.invoke(json.dumps({"inputs": chunk}).encode())
        if answer.status_code != 200:
            raise ServingError(f"The candidate answered {answer.status_code}: {answer.text}")
        for text, prediction in zip(chunk, answer.json()["predictions"], strict=True):
            yield GoldenAnswer(text, prediction["label"], prediction["score"])


def choose(answers: list[GoldenAnswer], count: int) -> list[GoldenAnswer]:
    """`count` answers spread evenly over the validation split, the same ones each time."""
    askable = [answer for answer in answers if len(answer.text) <= MAX_CHARACTERS]
    step = max(1, len(askable) // count)
    return askable[::step][:count]


def disagreement(expected: list[GoldenAnswer], answered: list[GoldenAnswer]) -> str | None:
    """The first answer that is not the golden one, in words; None where all agree."""
    for want, got in zip(expected, answered, strict=True):
        if want.label != got.label or abs(want.score - got.score) > TOLERANCE:
            return (
                f"{want.text!r} is {got.label} {got.score:.4f}, but was evaluated as "
                f"{want.label} {want.score:.4f}"
            )
    return None
