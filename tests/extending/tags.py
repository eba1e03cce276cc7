"""A task of somebody else's with its estimator: a tag for each word of a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sktransfer.plugins import (
    BackboneWrapper,
    EncoderWrapper,
    Fingerprint,
    Inputs,
    Modality,
    Task,
    TransferEstimator,
    param,
    with_parameters,
)


class SentenceModality(Modality):
    """Sentences as lists of words."""

    name: ClassVar[str] = "sentence"
    plural: ClassVar[str] = "sentences"
    default_backbone: ClassVar[str] = "words"

    def validate(self, X, *, start=0):
        """Check that each sentence has words, and nothing else."""
        for i, words in enumerate(X, start=start):
            if not len(words) or not all(isinstance(word, str) for word in words):
                raise ValueError(f"X[{i}] has to be a list of words, got {words!r}.")
        return Inputs([tuple(words) for words in X])

    def examples(self, encoder, backbone, fitted):
        """Give sentences of different lengths."""
        return self.samples()

    def samples(self):
        """Give sentences of different lengths."""
        return [
            tuple(text.split())
            for text in ("good", "a rather long sentence", "Not good .", "Ünï 数字", "good bad")
        ]


class WordBackbone(BackboneWrapper):
    """A state for each word: that of its first piece.

    Parameters
    ----------
    backbone : str or Backbone, default="minilm"
        A backbone of texts with a state for each token.
    """

    modality: ClassVar[str] = "sentence"

    def __init__(self, backbone="minilm"):
        self.backbone = backbone

    def wrap(self, encoder, *, random_state):
        """Gather states by words."""
        return WordStates(encoder)


@dataclass
class _Row:
    inner: Any
    first: list[int]

    def __len__(self):
        return len(self.inner)


class WordStates(EncoderWrapper):
    """What `WordBackbone.load` returns."""

    def __init__(self, inner):
        super().__init__(inner)
        self.can_split = False
        weights, preprocessing = inner.fingerprint
        self.fingerprint = Fingerprint(weights, f"first pieces of words, {preprocessing}")

    def prepare(self, X):
        """Tokenize sentences, and find the first piece of each word."""
        texts = [" ".join(words) for words in X]
        rows = []
        for words, row, spans in zip(
            X, self.inner.prepare(texts), self.inner.spans(texts), strict=True
        ):
            start, first = 0, []
            for word in words:
                # A word that is cut off or dropped has the first state of the sentence.
                covering = (i for i, (a, b) in enumerate(spans) if a <= start < b)
                first.append(next(covering, 0))
                start += len(word) + 1
            rows.append(_Row(row, first))
        return rows

    def collate(self, rows):
        """Collate the rows of the inner encoder, and where words begin."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        batch = self.inner.collate([row.inner for row in rows])
        first = [torch.tensor(row.first) for row in rows]
        device = next(iter(batch.values())).device
        batch["first"] = pad_sequence(first, batch_first=True).to(device)
        there = [torch.ones(len(row.first)) for row in rows]
        batch["there"] = pad_sequence(there, batch_first=True).to(device)
        return batch

    def states(self, batch):
        """Gather the states of words."""
        inner = {name: v for name, v in batch.items() if name not in ("first", "there")}
        hidden, _ = self.inner.states(inner)
        index = batch["first"].unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        return hidden.gather(1, index), batch["there"]

    def pool(self, hidden, mask):
        """Average words, since the inner pooling looks at pieces."""
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return ((hidden * weight).sum(dim=1) / weight.sum(dim=1)).float()

    def table(self):
        """Give none: entries are of the inner rows."""
        return None

    def truncation(self, rows):
        """Count what is cut of the inner rows."""
        return self.inner.truncation([row.inner for row in rows])

    def in_bf16(self):
        """Offer no copy."""
        return None


@dataclass(frozen=True, eq=False)
class TagTask(Task):
    """A tag for each word."""

    unit: ClassVar[str] = "tag"
    of_states: ClassVar[bool] = True
    tags: np.ndarray

    @property
    def names(self):
        """The tags, sorted."""
        return self.tags

    def encode(self, y):
        """Turn tags into positions, a sentence at a time."""
        values = np.empty(len(y), dtype=object)
        for i, sentence in enumerate(y):
            values[i] = np.searchsorted(self.tags, np.asarray(sentence, dtype=self.tags.dtype))
        return values

    def decode(self, values):
        """Turn positions into tags."""
        if values.dtype != object:
            return self.tags[values]
        return [self.tags[codes].tolist() for codes in values]

    def loss(self, head, outputs, values):
        """Ask the head, word by word."""
        return head.loss(outputs, values)

    def decide(self, outputs):
        """Give the code of the likeliest tag."""
        return outputs.argmax(dim=1)

    def predict(self, head, outputs, lengths=()):
        """Give a list of tags for each sentence."""
        tags = self.tags[head.to_proba(outputs).argmax(dim=1).numpy()]
        if not len(lengths):
            return tags
        sentences = np.empty(len(lengths), dtype=object)
        for i, part in enumerate(np.split(tags, np.cumsum(lengths)[:-1])):
            sentences[i] = part.tolist()
        return sentences

    def rows_each(self, values):
        """Count words for each tag."""
        return sum(map(len, values)) / len(self.tags)

    def attributes(self):
        """Give the tags."""
        return {"tags_": self.tags}

    @classmethod
    def from_attributes(cls, attributes):
        """Make the task of a fitted tagger."""
        return cls(attributes["tags_"])


@with_parameters
class TransferTagger(TransferEstimator):
    """Tag the words of sentences."""

    modality: ClassVar[str] = "sentence"

    backbone: Any = param(default="words", kw_only=False)

    def fit(self, X, y, sample_weight=None, sample_domain=None):
        """Train on sentences, and a list of tags for each one."""
        self._fit(X, y, sample_weight, sample_domain, restart=True)
        return self

    def predict(self, X):
        """Give a list of tags for each sentence."""
        return self._predicted(X, "predict")

    def score(self, X, y):
        """Give the share of words that are tagged rightly."""
        pairs = [p for a, b in zip(self.predict(X), y, strict=True) for p in zip(a, b, strict=True)]
        return float(np.mean([found == tag for found, tag in pairs]))

    def _make_task(self, y, weights, earlier, classes):
        return TagTask(np.unique([tag for sentence in y for tag in sentence]))

    def _fitted_task(self):
        return TagTask.from_attributes(vars(self))
