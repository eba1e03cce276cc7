"""Small networks on word vectors: (n, length, dim) and a mask in, (n, width) out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["Convolutions", "Mean", "Recurrent", "Stack", "WordDropout"]


class WordDropout(nn.Module):
    """Leave whole words out while training, and scale up the others [1]_.

    Parameters
    ----------
    p : float
        Share of words.

    References
    ----------
    .. [1] Gal, Y. and Ghahramani, Z. (2016). A theoretically grounded application of dropout in
       recurrent neural networks. NeurIPS. arXiv:1512.05287.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, embedded: torch.Tensor) -> torch.Tensor:
        """Give embeddings (n, length, dim) of which some words are zeros."""
        if not self.training or not self.p:
            return embedded
        kept = torch.full(embedded.shape[:2], 1 - self.p, device=embedded.device)
        return embedded * (torch.bernoulli(kept) / (1 - self.p)).unsqueeze(2)


class Convolutions(nn.Module):
    """Filters of several widths, each maximised over the text [1]_.

    Parameters
    ----------
    dim : int
        Of the word vectors.
    widths : sequence of int
        Words that a filter sees.
    n_filters : int
        Of each width.
    dropout : float
        Of the features.

    References
    ----------
    .. [1] Kim, Y. (2014). Convolutional neural networks for sentence classification. EMNLP.
       arXiv:1408.5882.
    """

    def __init__(self, dim: int, widths: Sequence[int], n_filters: int, dropout: float) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.filters = nn.ModuleList(nn.Conv1d(dim, n_filters, width) for width in self.widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, embedded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Compute features of shape (n, widths * n_filters)."""
        # Kim pads so that each filter may also begin or end outside of the text.
        padded = nn.functional.pad(embedded, (0, 0, *(max(self.widths) - 1,) * 2))
        length = mask.sum(dim=1)
        found = []
        for width, filters in zip(self.widths, self.filters, strict=True):
            edge = max(self.widths) - width
            # What begins after the last word sees padding alone, of which longer mates have more.
            seen = padded[:, edge : padded.shape[1] - edge]
            found.append(_maximum(seen, filters, length + width - 1))
        return self.dropout(torch.cat(found, dim=1))


class Stack(nn.Module):
    """A convolution, its maximum over the text, and a dense layer, as tutorials stack them.

    Parameters
    ----------
    dim : int
        Of the word vectors.
    width : int
        Words that a filter sees.
    n_filters : int
        How many.
    hidden : int
        Width of the dense layer.
    dropout : float
        Of the features.
    """

    def __init__(self, dim: int, width: int, n_filters: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.convolution = nn.Conv1d(dim, n_filters, width)
        self.dense = nn.Linear(n_filters, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, embedded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Compute features of shape (n, hidden)."""
        # A text that is shorter than a filter is read, too.
        padded = nn.functional.pad(embedded, (0, 0, 0, self.width - 1))
        found = _maximum(padded, self.convolution, mask.sum(dim=1))
        return self.dropout(torch.relu(self.dense(found)))


class Mean(nn.Module):
    """The mean of the vectors, as fastText takes it [1]_, and nothing else.

    References
    ----------
    .. [1] Joulin, A., Grave, E., Bojanowski, P. and Mikolov, T. (2017). Bag of tricks for
       efficient text classification. EACL. arXiv:1607.01759.
    """

    def forward(self, embedded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Compute features of shape (n, dim)."""
        return embedded.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


class Recurrent(nn.Module):
    """An LSTM or GRU that reads in both directions, and attention over its states [1]_.

    Parameters
    ----------
    kind : {"lstm", "gru"}
        Of the cells.
    dim : int
        Of the word vectors.
    width : int
        Of the states in each direction.
    dropout : float
        Of the features.

    References
    ----------
    .. [1] Yang, Z., Yang, D., Dyer, C., He, X., Smola, A. and Hovy, E. (2016). Hierarchical
       attention networks for document classification. NAACL.
    """

    def __init__(self, kind: str, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        cells = {"lstm": nn.LSTM, "gru": nn.GRU}[kind]
        self.states = cells(dim, width, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(2 * width, 2 * width)
        self.question = nn.Linear(2 * width, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, embedded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Compute features of shape (n, 2 * width)."""
        # A text without words is read as one word of zeros.
        lengths = mask.sum(dim=1).clamp(min=1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            embedded, lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.states(packed)[0], batch_first=True, total_length=embedded.shape[1]
        )
        asked = self.question(torch.tanh(self.attention(states))).squeeze(2)
        at = torch.arange(embedded.shape[1], device=asked.device)[None, :]
        inside = at < lengths.to(asked.device)[:, None]
        weights = asked.masked_fill(~inside, float("-inf")).softmax(dim=1)
        return self.dropout((weights.unsqueeze(2) * states).sum(dim=1))


def _maximum(seen: torch.Tensor, filters: nn.Conv1d, length: torch.Tensor) -> torch.Tensor:
    """Maximise what filters find over the first places of each text, and cut off at 0."""
    # As images of one line, which may be computed with the numbers of a word side by side, as they
    # are: twice as fast as a convolution of sequences.
    image = seen.transpose(1, 2).unsqueeze(2)
    found = nn.functional.conv2d(image, filters.weight.unsqueeze(2), filters.bias)
    found = found.squeeze(2).transpose(1, 2)
    at = torch.arange(found.shape[1], device=found.device)
    outside = at[None, :] >= length.clamp(min=1)[:, None]
    # The maximum first: what is cut off afterwards is much less.
    return torch.relu(found.masked_fill(outside[:, :, None], float("-inf")).amax(dim=1))
