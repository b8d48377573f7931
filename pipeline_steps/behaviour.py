"""The behaviour tests of `model/behaviour.py`, asked of a server."""

from model.behaviour import BehaviourTest, behaviour_tests
from model.data import LABELS
from pipeline_steps import golden
from pipeline_steps.console import ProgressReporter
from pipeline_steps.evaluation_artefacts import BehaviourCase, BehaviourResult
from pipeline_steps.predictions import positive
from pipeline_steps.serving_process import ServingProcess

WORST = 5  # cases shown of a test


def ask(server: ServingProcess) -> list[BehaviourResult]:
    """How the model behind `server` does in each test.

    Raises:
        ServingError: the server does not answer.
    """
    tests = behaviour_tests()
    # Many cases share an original: each text is asked once.
    texts = list(
        dict.fromkeys(
            text
            for test in tests
            for case in test.cases
            for text in (case.text, case.original)
            if text is not None
        )
    )
    answers: dict[str, float] = {}
    with ProgressReporter("behaviour tests") as reporter:
        for text, said in zip(texts, golden.ask(server, texts), strict=True):
            answers[text] = positive(said)
            reporter.update(len(answers), len(texts))
    return [result_of(test, answers) for test in tests]


def result_of(test: BehaviourTest, answers: dict[str, float]) -> BehaviourResult:
    """How one test came out, given P(POSITIVE) of all its texts."""
    judged = [(case.excess(answers), case) for case in test.cases]
    failed = sorted((pair for pair in judged if pair[0] > 0), key=lambda pair: -pair[0])
    worst = []
    for _, case in failed[:WORST]:
        said = answers[case.text]
        worst.append(
            BehaviourCase(
                text=case.text,
                expected=case.expected,
                answered=LABELS[said > 0.5],
                score=max(said, 1 - said),
                original=case.original,
            )
        )
    return BehaviourResult(
        test.name, test.kind, test.capability, len(test.cases), len(failed), worst
    )
