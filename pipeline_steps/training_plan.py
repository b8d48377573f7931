"""What a training is made from, and the name of the model that it gives, before it has run."""

from dataclasses import dataclass
from typing import Any

from model.data import Splits
from pipeline_steps import fingerprint
from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.settings import Settings

TRAIN_TOKENIZER = "train"


@dataclass(frozen=True)
class TrainingPlan:
    """The checked data, and all that determines the model."""

    splits: Splits
    inputs: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """What the model is known by."""
        return fingerprint.fingerprint_of(self.inputs)

    @property
    def model_version(self) -> str:
        """Its first digits, the model's name."""
        return fingerprint.model_version_of(self.fingerprint)


def plan(settings: Settings) -> TrainingPlan:
    """What would be trained with these settings, on the data that `check_data` has passed.

    Raises:
        ConfigurationError: the backbone or the tokenizer cannot be loaded.
        DataCheckError: the data is not what `check_data` saw.
    """
    return plan_for(settings, read_checked_data(settings))


def plan_for(settings: Settings, splits: Splits) -> TrainingPlan:
    """What would be trained on `splits`.

    Raises:
        ConfigurationError: the backbone or the tokenizer cannot be loaded.
    """
    # torch takes seconds to import, and few steps need it.
    from model.backbone import BackboneError, backbone_id  # noqa: PLC0415
    from model.tokenizer import TokenizerError  # noqa: PLC0415

    try:
        inputs = fingerprint.training_inputs(
            settings, splits.hash(), backbone_id(settings.model.backbone), _tokenizer_id(settings)
        )
    except (BackboneError, TokenizerError) as error:
        raise ConfigurationError(str(error)) from error
    return TrainingPlan(splits, inputs)


def _tokenizer_id(settings: Settings) -> str:
    from model.tokenizer import load_tokenizer, tokenizer_id  # noqa: PLC0415 - imports torch

    if settings.model.tokenizer == TRAIN_TOKENIZER:
        # The data and model/tokenizer.py, both in the fingerprint, determine the rest.
        return f"unigram:{settings.model.vocab_size}"
    return tokenizer_id(load_tokenizer(settings.model.tokenizer or settings.model.backbone))
