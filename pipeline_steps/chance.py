"""What chance alone explains: intervals of a share, and two models on the same rows."""

from scipy.stats import binomtest


def wilson(right: int, rows: int) -> list[float]:
    """The 95 % interval of a share: Wilson's (1927), inside [0, 1] for good models and few rows."""
    interval = binomtest(right, rows).proportion_ci(0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def mcnemar(only_one_right: int, only_other_right: int) -> float:
    """The two-sided p-value of McNemar's exact test (1947): are two models alike on the same rows?

    Only the rows count on which one is right and the other wrong; if the models are alike, each of
    these falls to either side like a coin.
    """
    discordant = only_one_right + only_other_right
    return float(binomtest(only_one_right, discordant).pvalue) if discordant else 1.0
