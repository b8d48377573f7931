"""The ways of training that are compared: ours, a plain loop, and transformers' Trainer.

Each trains the same model from the same start, with AdamW and the same learning rates, schedule and
clipping. What differs is how batches are made, and in which precision and with what machinery they
are computed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_
from transformers import PreTrainedTokenizerFast, Trainer, TrainerCallback, TrainingArguments

from model.backbone import load_model
from model.batching import encode, pad_batch
from model.data import Example, Splits
from model.evaluation import evaluate
from model.modeling import T5ForSentimentClassification
from model.optimization import cpu_threads, parameter_groups, pick_device, rate_share
from model.report import TrainingProgress
from model.settings import TrainingSettings
from model.training import train

WARM_UP = 2  # steps that are not timed: memory is first asked for, code first loaded
PADDED_TOKENS = 128


@dataclass
class Measured:
    """What a run gave: its speed, and validation loss and accuracy by step."""

    examples_per_second: float = 0.0
    losses: dict[int, float] = field(default_factory=dict)
    accuracies: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What all of them train on, and from."""

    backbone: str
    tokenizer: PreTrainedTokenizerFast
    splits: Splits
    settings: TrainingSettings
    folder: Path

    def model(self, settings: TrainingSettings) -> T5ForSentimentClassification:
        """The model as it starts, where it is trained."""
        model = load_model(
            self.backbone,
            vocab_size=len(self.tokenizer),
            gate_reads=settings.gate_reads,
            dropout=settings.dropout,
            seed=settings.seed,
        )
        return model.train().to(device=pick_device())

    def encoded(self, examples: list[Example]) -> tuple[list[list[int]], list[int]]:
        """Token ids and labels."""
        sentences = [example.sentence for example in examples]
        ids = encode(self.tokenizer, sentences, self.settings.max_input_tokens)
        return ids, [example.label for example in examples]

    def learning_rates(
        self, model: T5ForSentimentClassification, steps: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        """The optimizer and the schedule of ours, as torch's own classes have them."""
        optimizer = torch.optim.AdamW(parameter_groups(model, self.settings), fused=True)
        warm_up = self.settings.warmup_share
        return optimizer, torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_share(min(step, steps - 1), steps, warm_up)
        )


def now(settings: TrainingSettings) -> float:
    """Seconds: on one CPU thread its own, which other work on the machine hardly changes."""
    alone = settings.threads == 1 and not torch.cuda.is_available()
    if torch.cuda.is_available():
        torch.cuda.synchronize()  # a GPU may not have done what it was told yet
    return time.process_time() if alone else time.perf_counter()


System = Callable[[Task, int, int], Measured]


def ours(task: Task, steps: int, every: int, **changed: Any) -> Measured:
    """`model.training.train`, evaluated after each `every` steps, and saved as it always is."""
    epoch = -(-len(task.splits.train) // task.settings.batch_size)
    settings = replace(
        task.settings,
        epochs=1,
        max_steps=steps,
        evaluations_per_epoch=max(epoch // every, 1),
        patience=0,
        **changed,
    )
    seen: list[tuple[int, float]] = []

    def watch(report: TrainingProgress) -> None:
        if not seen or report.step > seen[-1][0]:  # the first of a step is from before evaluating
            seen.append((report.step, now(settings)))

    result = train(
        task.model(settings),
        task.tokenizer,
        train_set=task.splits.train,
        validation_set=task.splits.validation,
        settings=settings,
        work_dir=task.folder,
        progress=watch,
        fingerprint=str(time.perf_counter()),
    )
    evaluated = [item.step for item in result.history]
    timed = [item for item in seen if item[0] <= evaluated[0]]
    first, last = next(item for item in timed if item[0] >= WARM_UP), timed[-1]
    return Measured(
        (last[0] - first[0]) * settings.batch_size / (last[1] - first[1]),
        {item.step: item.validation_loss for item in result.history},
        {item.step: item.validation_accuracy for item in result.history},
    )


def with_reinforce(task: Task, steps: int, every: int) -> Measured:
    """The same with REINFORCE, whose steps hold several passes of the encoder."""
    return ours(task, steps, every, reinforce=True)


def plain_loop(task: Task, steps: int, every: int) -> Measured:
    """Batches in random order, each padded to 128 tokens, in fp32."""
    model = task.model(task.settings)
    optimizer, schedule = task.learning_rates(model, steps)
    sequences, labels = task.encoded(task.splits.train)
    generator = torch.Generator().manual_seed(task.settings.seed)
    order = torch.randperm(len(labels), generator=generator).tolist()
    measured, clock = Measured(), _Clock(task, model, every)
    size = task.settings.batch_size
    with cpu_threads(task.settings.threads):
        for step in range(1, steps + 1):
            numbers = order[(step - 1) * size : step * size]
            padding = [[0] * (PADDED_TOKENS - len(sequences[number])) for number in numbers]
            batch = pad_batch(
                [sequences[number] for number in numbers],
                [labels[i] for i in numbers],
                model.device,
            )
            ids = torch.tensor(
                [[*sequences[i], *pad] for i, pad in zip(numbers, padding, strict=True)],
                device=model.device,
            )
            batch["input_ids"], batch["attention_mask"] = ids, (ids != 0).long()
            model(**batch).loss.backward()
            clip_grad_norm_(model.parameters(), task.settings.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            clock.after(step, steps, measured)
    return measured


def trainer(task: Task, steps: int, every: int) -> Measured:
    """transformers' Trainer at its best: dynamic padding, like lengths, bf16, fused AdamW.

    On CPU with eager attention, as ours, which is faster there.
    """
    model = task.model(task.settings)
    if not torch.cuda.is_available():
        model.set_attn_implementation("eager")
    sequences, labels = task.encoded(task.splits.train)
    rows = [
        {"input_ids": ids, "labels": label, "length": len(ids)}
        for ids, label in zip(sequences, labels, strict=True)
    ]
    measured, clock = Measured(), _Clock(task, model, every)

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.after(state.global_step, steps, measured)

    arguments = TrainingArguments(
        output_dir=str(task.folder / "trainer"),
        per_device_train_batch_size=task.settings.batch_size,
        max_steps=steps,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        bf16=task.settings.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        max_grad_norm=task.settings.max_grad_norm,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=task.settings.seed,
    )
    with cpu_threads(task.settings.threads):
        Trainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=_collate,
            optimizers=task.learning_rates(model, steps),
            callbacks=[Watch()],
        ).train()
    return measured


def _collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return pad_batch([row["input_ids"] for row in rows], [row["labels"] for row in rows])


class _Clock:
    """Times steps from the warm-up to the first evaluation, and evaluates as ours does."""

    def __init__(self, task: Task, model: T5ForSentimentClassification, every: int) -> None:
        self._task, self._model, self._every = task, model, every
        self._validation = task.encoded(task.splits.validation)
        self._began: tuple[int, float] | None = None

    def after(self, step: int, steps: int, measured: Measured) -> None:
        """Take note of a step."""
        if step == WARM_UP:
            self._began = (step, now(self._task.settings))
        if step % self._every and step != steps:
            return
        if self._began and not measured.examples_per_second:
            done, seconds = step - self._began[0], now(self._task.settings) - self._began[1]
            measured.examples_per_second = done * self._task.settings.batch_size / seconds
        accuracy, loss = evaluate(self._model, *self._validation)
        measured.accuracies[step], measured.losses[step] = accuracy, loss
