"""The bar that a model must reach before anything of it goes further."""

from pipeline_steps.errors import GateNotMetError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.settings import Settings


def refuse_below_bar(evaluation: Evaluation, settings: Settings) -> None:
    """Let a good enough model pass.

    Raises:
        GateNotMetError: its accuracy is below `min_accuracy`.
    """
    if evaluation.accuracy < settings.gate.min_accuracy:
        raise GateNotMetError(
            f"Accuracy {evaluation.accuracy:.3f} is below the bar of "
            f"{settings.gate.min_accuracy:.3f} (min_accuracy in [{settings.profile}.gate]). "
            f"Nothing was deployed. See {settings.work_dir / Evaluation.FILE}."
        )
