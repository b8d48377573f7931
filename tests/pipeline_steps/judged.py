"""A judged model with everything that an evaluation may hold, for whoever tells of it."""

import dataclasses

from pipeline_steps.evaluation_artefacts import (
    BehaviourCase,
    BehaviourResult,
    Calibration,
    Champion,
    Evaluation,
    Footprint,
    Mistake,
    Reliability,
    ReliabilityBin,
    Rule,
    SliceResult,
    Token,
)

SENTENCE = "Not once was it dull, but the plot was thin."
GATES = (0.91, 0.4, 0.06, 0.02, 0.88, 0.7, 0.01, 0.2, 0.03, 0.97)


def token_gates(text: str) -> list[Token]:
    """Each word of `text` as a token with a gate."""
    tokens, end = [], 0
    for number, word in enumerate(text.split()):
        start = text.index(word, end)
        end = start + len(word)
        tokens.append(Token(word, start, end, GATES[number % len(GATES)]))
    return tokens


HELD = [
    Rule("accuracy", "pass", 0.96, 0.9, "Accuracy 0.960 reaches the bar of 0.900."),
    Rule("calibration error", "pass", 0.02, 0.05, "The calibration error is 0.020."),
]
WARNS = Rule("slice: negation", "warn", 0.88, 0.9, "negation: 0.880 on 102 sentences.")
FAILS = Rule("size", "fail", 300, 250, "size: 300.0 MB, at most 250 MB is asked for.")
# What the gate may say: its rules, and why a person lets the model ship although one fails.
VERDICTS: dict[str, tuple[list[Rule], str | None]] = {
    "passed": (HELD, None),
    "warned": ([HELD[0], WARNS, HELD[1]], None),
    "stopped": ([*HELD, WARNS, FAILS], None),
    "overridden": ([*HELD, WARNS, FAILS], "its successor is in training"),
}


def judged(evaluation: Evaluation, verdict: str = "warned") -> Evaluation:
    """The evaluation with a verdict, slices, behaviour, calibration and champion."""
    rules, override = VERDICTS[verdict]
    cases = [
        BehaviourCase("It used to be good, but now it is a mess.", "NEGATIVE", "POSITIVE", 0.91)
    ]
    moved = [BehaviourCase("Amira adored it.", "POSITIVE", "NEGATIVE", 0.58, "Anna adored it.")]
    return dataclasses.replace(
        evaluation,
        mistakes=[
            Mistake(SENTENCE, "POSITIVE", "NEGATIVE", 0.973, token_gates(SENTENCE)),
            Mistake(
                "No better film was made that year.",
                "POSITIVE",
                "NEGATIVE",
                0.81,
                token_gates("No better film was made that year."),
            ),
        ],
        rules=rules,
        override=override,
        slices=[
            SliceResult("short", "at most 6 words", 214, 0.97, [0.94, 0.985]),
            SliceResult("negation", "a word such as not, never, n't", 102, 0.88, [0.80, 0.93]),
            SliceResult("question", "a question mark", 0, None, None),
        ],
        behaviour=[
            BehaviourResult("used to, but now", "MFT", "temporal", 60, 6, cases),
            BehaviourResult("names of people", "INV", "fairness", 120, 1, moved),
            BehaviourResult("praise is added", "DIR", "vocabulary", 80, 0, []),
        ],
        calibration=Calibration(
            1.62,
            Reliability(
                0.061,
                0.082,
                [
                    ReliabilityBin(0.62, 0.55, 40),
                    ReliabilityBin(0.9, 0.81, 190),
                    ReliabilityBin(0.99, 0.95, 730),
                ],
            ),
            Reliability(
                0.018,
                0.071,
                [
                    ReliabilityBin(0.61, 0.6, 60),
                    ReliabilityBin(0.87, 0.88, 400),
                    ReliabilityBin(0.97, 0.97, 500),
                ],
            ),
        ),
        rationales={"auc": 0.912, "sufficiency": None},
        footprint=Footprint(0.7, 1.2, 1.9),
        champion=Champion(
            None,
            "9876543210ab",
            0.951,
            evaluation.rows,
            31,
            22,
            0.272,
            f1=0.949,
            ece=0.031,
            brier=0.066,
        ),
    )
