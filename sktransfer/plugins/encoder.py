"""What a backbone gives: the contract of what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch

__all__ = ["Encoder"]


@runtime_checkable
class Encoder(Protocol):
    """The runtime object that `sktransfer.plugins.Backbone.load` returns.

    Attributes
    ----------
    module : torch.nn.Module
        Everything that has parameters. The estimator trains and stores this and nothing else.
    dim : int
        Width of the features.
    blocks : dict of str to list of str
        Block name to the names of its parameters in ``module``, input side first. The blocks are
        disjoint and cover all parameters.
    fingerprint : str
        The same weights and preprocessing give the same string, other ones another. What
        precedes a ``+``, if there is one, is about the weights alone: a model that was trained
        may go on with other preprocessing, not with other weights.

    Notes
    -----
    An encoder may offer ``forward_until(batch, block)``, which stops before that block, and
    ``forward_from(state, block)``, which begins with it; together they equal ``forward``. The state
    is a dict of tensors whose first axis has n entries; ``padded_states`` names those whose second
    axis is padded to the longest row. It stays valid while the block and all above it train, so
    what lies below is computed once for a whole training.

    It may also offer

    - ``in_bf16()``, which gives a copy that computes in bfloat16; its module has parameters of the
      same names, to which gradients flow, and may share some with the original;
    - ``budget()``, what the padded rows of a batch of inference should cost together, and
      ``training_budget()``, the same of a computation with gradients, which take much memory;
    - ``table()``, a module such as `torch.nn.Embedding` whose ``forward`` is given numbers of rows
      of its ``weight``, and ``entries(rows)``, the numbers that rows look up, that of padding
      included. A training then moves these entries only, which is exact but for weight decay;
    - ``trains_in_fp32``, which is true where it should be trained in single precision although
      it computes features in half of it;
    - ``reads_in_collate``, which is true where ``collate`` takes long, such as where it decodes
      pictures. Then it is called in a thread of its own, for a batch while the one before is
      computed on; never twice at a time;
    - ``growing``, the names of parameters that `sktransfer.plugins.Backbone.learned_from` makes
      longer.
    """

    module: Any
    dim: int
    blocks: dict[str, list[str]]
    fingerprint: str

    def prepare(self, X: Sequence[Any]) -> list[Any]:
        """Turn inputs into rows, one by one and without state: tokenize, decode, resize.

        Parameters
        ----------
        X : sequence of n inputs
            As `sktransfer.plugins.Backbone.modality` says.

        Returns
        -------
        rows : list of n rows
            ``len(row)`` is the cost of a row, since batches are made of rows of similar length.
            What is large, such as a picture, is better read in `collate`, so that inputs may be
            more than fit into memory.
            Where long inputs are cut, a row has the attributes ``tokens``, how many the input
            has, and ``cut``, how many of them are left out.
        """
        ...

    def collate(self, rows: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Put rows into one batch.

        Parameters
        ----------
        rows : sequence of n rows
            What `prepare` returned.

        Returns
        -------
        batch : dict of str to torch.Tensor
            The first axis of each has n entries.
        """
        ...

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features; gradients flow to ``module``.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        ...
