"""Tokenizers: T5's own, or a small one trained on a corpus.

Both are Unigram models (Kudo 2018, "Subword Regularization", https://arxiv.org/abs/1804.10959)
over words marked with "▁", with `<pad>` 0, `</s>` 1, `<unk>` 2 and `</s>` after each sentence, and
both are known by one file, tokenizer.json, which `tokenizers.Tokenizer.from_file` also reads.
"""

import hashlib
import json
import math
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast
from transformers.utils.hub import cached_file

from model.backbone import HubName

SPECIAL_TOKENS = ("<pad>", "</s>", "<unk>")  # their places are their ids
MARK = "▁"
ALPHABET = sorted({MARK, *string.ascii_lowercase, *string.digits, *string.punctuation})
ROUNDS = 4  # of re-estimating the scores; they stand still by then


class TokenizerError(ValueError):
    """There is no such tokenizer, or it is not one of T5's kind."""


def load_tokenizer(name_or_path: str) -> PreTrainedTokenizerFast:
    """Read the tokenizer.json of a local folder or of a model on the hub ("name" or "name@commit").

    Raises:
        TokenizerError: no such file, not a tokenizer, or other special tokens than T5's.
    """
    try:
        if Path(name_or_path).expanduser().is_dir():
            path = cached_file(Path(name_or_path).expanduser(), "tokenizer.json")
        else:
            hub = HubName.parse(name_or_path)
            path = cached_file(hub.name, "tokenizer.json", revision=hub.revision)
    except OSError as error:
        reason = str(error).strip().split("\n", maxsplit=1)[0]
        raise TokenizerError(
            f"No tokenizer.json for {name_or_path!r} ({reason}). Pass a folder that holds one, or "
            "a hub name such as 't5-small' with the network up."
        ) from error
    text = Path(str(path)).read_text(encoding="utf-8")
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:
        raise TokenizerError(
            f"{path} is not a tokenizer ({error}). It may be truncated; fetch it again."
        ) from error
    return _wrap(tokenizer, str(path))


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a lower-casing Unigram tokenizer; the same texts give the same file.

    Deviation: `tokenizers`' UnigramTrainer scores some pieces by the order of a randomly seeded
    hash map, so that each run differs. Here the pieces come from byte-pair merges, which count in
    integers, and their log-probabilities from a few rounds of Viterbi re-estimation.

    Args:
        texts: sentences to learn from.
        vocab_size: pieces at most, special tokens included; a small corpus may give fewer.

    Raises:
        TokenizerError: no text, or a vocabulary too small for the alphabet.
    """
    sentences = [text for text in texts if text.strip()]
    smallest = len(SPECIAL_TOKENS) + len(ALPHABET)
    if not sentences:
        raise TokenizerError("There is no text to train a tokenizer on.")
    if vocab_size < smallest:
        raise TokenizerError(f"vocab_size is {vocab_size}, expected at least {smallest}.")
    pieces = _merge_pieces(sentences, vocab_size)
    scores = dict.fromkeys(pieces, -math.log(len(pieces)))
    words = _count_words(sentences)
    for _ in range(ROUNDS):
        scores = _estimate_scores(scores, words)
    tokenizer = _pipeline(_unigram(scores))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return _wrap(tokenizer, "the trained tokenizer")


def require_vocabulary_of(backbone: str, tokenizer: PreTrainedTokenizerFast) -> None:
    """Hold a tokenizer against the one that lies beside a backbone's weights, if there is one.

    Raises:
        TokenizerError: the backbone learned other pieces by these numbers.
    """
    if not _has_tokenizer(backbone):
        return
    own, given = load_tokenizer(backbone).get_vocab(), tokenizer.get_vocab()
    if own != given:
        shared = sum(given.get(piece) == number for piece, number in own.items())
        raise TokenizerError(
            f"The backbone {backbone!r} learned {len(own):,} pieces, and only {shared:,} of "
            f"them are the tokenizer's, which has {len(given):,}. Leave tokenizer unset, which "
            "takes the backbone's own."
        )


def _has_tokenizer(backbone: str) -> bool:
    if backbone.startswith("random:"):
        return False
    folder = Path(backbone).expanduser()
    if folder.is_dir():
        return (folder / "tokenizer.json").is_file()
    hub = HubName.parse(backbone)
    try:
        cached_file(hub.name, "tokenizer.json", revision=hub.revision)
    except OSError:
        return False  # not every T5 of the hub has one
    return True


def tokenizer_id(tokenizer: PreTrainedTokenizerFast) -> str:
    """SHA-256 of tokenizer.json's content; padding and truncation, which are usage, left out."""
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content |= {"padding": None, "truncation": None}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _wrap(tokenizer: Tokenizer, source: str) -> PreTrainedTokenizerFast:
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL_TOKENS}
    if list(ids.values()) != [0, 1, 2] or tokenizer.encode("a").ids[-1:] != [1]:
        raise TokenizerError(
            f"{source} is not a T5 tokenizer: its special tokens are {ids}, expected <pad> 0, "
            "</s> 1, <unk> 2 and </s> after each sentence."
        )
    pad, end, unknown = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=pad, eos_token=end, unk_token=unknown
    )


def _pipeline(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme="always"),
            # T5 lets a comma join a word; a small corpus has too few words to learn them twice.
            pre_tokenizers.Punctuation(),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=MARK, prepend_scheme="always")
    return tokenizer


def _merge_pieces(sentences: Sequence[str], vocab_size: int) -> list[str]:
    tokenizer = _pipeline(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS),
        initial_alphabet=ALPHABET,
        limit_alphabet=vocab_size - len(SPECIAL_TOKENS),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences, trainer)
    return sorted(tokenizer.get_vocab())


def _count_words(sentences: Sequence[str]) -> Counter[str]:
    stages = _pipeline(models.BPE())
    words: Counter[str] = Counter()
    for sentence in sentences:
        normal = stages.normalizer.normalize_str(sentence)
        words.update(word for word, _ in stages.pre_tokenizer.pre_tokenize_str(normal))
    return words


def _estimate_scores(scores: dict[str, float], words: Counter[str]) -> dict[str, float]:
    model = _unigram(scores)
    counts: Counter[str] = Counter()
    for word, count in sorted(words.items()):
        for token in model.tokenize(word):
            counts[token.value] += count
    # One is added to each, so that a piece without use keeps a finite score.
    total = math.log(sum(counts[piece] + 1 for piece in scores))
    return {piece: math.log(counts[piece] + 1) - total for piece in scores}


def _unigram(scores: dict[str, float]) -> models.Unigram:
    special = [(token, 0.0) for token in SPECIAL_TOKENS]
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return models.Unigram([*special, *ranked], unk_id=2)
