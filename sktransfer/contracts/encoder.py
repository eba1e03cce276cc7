"""The contract of encoders: what a backbone loads, and what runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sktransfer.contracts.versions import version_of

if TYPE_CHECKING:
    import torch

__all__ = ["Encoder", "Fingerprint", "Truncation"]

# What the padded rows of a batch may cost together, so that a few long ones do not fill the memory.
_BUDGET = 64 * 512
# With gradients a row costs a hundred times the memory.
_TRAINING_BUDGET = 16 * 512


class Fingerprint(NamedTuple):
    """What features depend on: equal fingerprints mean equal features.

    Attributes
    ----------
    weights : str
        Names the weights as loaded. A training may go on only with the same ones.
    preprocessing : str, default=""
        Names everything else, such as a vocabulary or the length at which texts are cut.
    """

    weights: str
    preprocessing: str = ""

    def __str__(self) -> str:
        return f"{self.weights}+{self.preprocessing}" if self.preprocessing else self.weights

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read what ``str`` made of a fingerprint, as models of earlier versions hold it.

        Weights with a plus sign in their name do not come back.

        Parameters
        ----------
        text : str
            Weights and preprocessing, with a plus sign between them.

        Returns
        -------
        fingerprint : Fingerprint
        """
        weights, _, preprocessing = text.partition("+")
        return cls(weights, preprocessing)


class Truncation(NamedTuple):
    """What is not read of some inputs.

    Attributes
    ----------
    n_inputs : int
        How many inputs were cut.
    n_tokens : int
        Tokens of all inputs.
    n_cut : int
        How many of these tokens are not read.
    n_unknown : int, default=0
        How many of these tokens the encoder does not know, so that they all look alike to it.
    """

    n_inputs: int
    n_tokens: int
    n_cut: int
    n_unknown: int = 0


class Encoder(ABC):
    """The runtime object that `sktransfer.plugins.Backbone.load` returns.

    Four methods have to be written: `prepare`, `collate`, `states` and, unless a mean over states
    is right, `pool`. Everything else has a default that does for any network. A network that gives
    one vector for each input is a `sktransfer.plugins.VectorEncoder`.

    Attributes
    ----------
    module : torch.nn.Module
        Everything that has parameters. The estimator trains and stores this and nothing else.
    dim : int
        Width of the features, and of the states.
    blocks : dict of str to list of str
        Block name to the names of its parameters in ``module``, input side first. The blocks are
        disjoint and cover all parameters that may train.
    fingerprint : Fingerprint
        Of weights and preprocessing, as loaded.
    never_train : frozenset of str
        Names in ``module`` of parameters and buffers that no strategy may train, such as those
        below an adapter. They are neither saved nor counted as changed.
    growing : frozenset of str
        Names of parameters that `sktransfer.plugins.Backbone.learned_from` makes longer.
    padded_states : frozenset of str
        Names in the dict of `forward_until` whose second axis is padded to the longest row.
    can_split : bool
        Whether `forward_until` and `states_from` are written.
    trains_in_fp32 : bool
        Whether a training should compute in single precision although features may be computed
        in half of it.
    slow_collate : bool
        Whether `collate` takes long, for example because it decodes pictures. It is then called in
        a thread of its own, for a batch while the one before is computed on; never twice at a
        time.
    max_length : int or None
        Where long inputs are cut, in what the length of a row counts; None where there is no
        limit.
    cheaper : str
        What makes inputs cheaper to encode, as a sentence without its full stop, for a warning
        that a computation takes long; empty where nothing does.
    """

    module: Any
    dim: int
    blocks: dict[str, list[str]]
    fingerprint: Fingerprint
    never_train: frozenset[str] = frozenset()
    growing: frozenset[str] = frozenset()
    padded_states: frozenset[str] = frozenset()
    can_split: bool = False
    trains_in_fp32: bool = False
    slow_collate: bool = False
    max_length: int | None = None
    cheaper: str = ""

    @abstractmethod
    def prepare(self, X: Sequence[Any]) -> list[Any]:
        """Turn inputs into rows, one by one and without state: tokenize, decode, resize.

        Parameters
        ----------
        X : sequence of n inputs
            As the modality of the backbone validates them.

        Returns
        -------
        rows : list of n rows
            ``len(row)`` is the cost of a row, since batches are made of rows of similar length.
            What is large, such as a picture, is better read in `collate`, so that inputs may be
            more than fit into memory.
        """

    @abstractmethod
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

    @abstractmethod
    def states(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the last states; gradients flow to ``module``.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        hidden : torch.Tensor of shape (n, length, dim)
        mask : torch.Tensor of shape (n, length)
            Not zero where there is a state, and no padding.
        """

    def pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Make one vector of the states of each row; by default their mean.

        Parameters
        ----------
        hidden : torch.Tensor of shape (n, length, dim)
            What `states` returned.
        mask : torch.Tensor of shape (n, length)
            What `states` returned.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features: the pooled states; gradients flow to ``module``.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        return self.pool(*self.states(batch))

    def forward_until(
        self, batch: Mapping[str, torch.Tensor], block: str
    ) -> dict[str, torch.Tensor]:
        """Stop before a block, so that what lies below is computed once for a whole training.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.
        block : str
            A key of ``blocks``.

        Returns
        -------
        state : dict of str to torch.Tensor
            What `states_from` needs. The first axis of each has n entries. It stays valid while
            the block and all above it train.

        Raises
        ------
        NotImplementedError
            If the encoder cannot be split.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be split")

    def states_from(
        self, state: Mapping[str, torch.Tensor], block: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Go on with a block where `forward_until` has stopped.

        Parameters
        ----------
        state : mapping of str to torch.Tensor
            What `forward_until` returned.
        block : str
            The same one.

        Returns
        -------
        hidden, mask : torch.Tensor
            As of `states`.

        Raises
        ------
        NotImplementedError
            If the encoder cannot be split.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be split")

    def forward_from(self, state: Mapping[str, torch.Tensor], block: str) -> torch.Tensor:
        """Compute features from where `forward_until` has stopped.

        Parameters
        ----------
        state : mapping of str to torch.Tensor
            What `forward_until` returned.
        block : str
            The same one.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        return self.pool(*self.states_from(state, block))

    def in_bf16(self) -> Encoder | None:
        """Give a copy that computes in bfloat16.

        Returns
        -------
        encoder : Encoder or None
            Its module has parameters of the same names, to which gradients flow, and may share
            some with the original. None, the default, where there is no such copy.
        """
        return None

    def budget(self) -> int:
        """Say what the padded rows of a batch of inference should cost together.

        Returns
        -------
        budget : int
            In what the length of a row counts.
        """
        return _BUDGET

    def training_budget(self) -> int:
        """Say what the padded rows may cost for which gradients are computed together.

        Returns
        -------
        budget : int
            What exceeds it is computed in micro-batches, whose gradients are added up.
        """
        return _TRAINING_BUDGET

    def table(self) -> Any:
        """Give the table, such as word embeddings, that rows look entries up in.

        Returns
        -------
        table : torch.nn.Module or None
            A module such as `torch.nn.Embedding` whose ``forward`` is given numbers of rows of its
            ``weight``. A training then moves the entries that occur and no others, which is exact
            but for weight decay. None, the default, where there is none.
        """
        return None

    def entries(self, rows: Sequence[Any]) -> set[int]:
        """Say which entries of the table rows look up.

        Parameters
        ----------
        rows : sequence of rows
            What `prepare` returned.

        Returns
        -------
        entries : set of int
            That of padding included.
        """
        return set()

    def truncation(self, rows: Sequence[Any]) -> Truncation | None:
        """Count what is not read of long inputs.

        Parameters
        ----------
        rows : sequence of rows
            What `prepare` returned.

        Returns
        -------
        truncation : Truncation or None
            None, the default, where nothing is cut.
        """
        return None

    def spans(self, X: Sequence[Any]) -> list[list[tuple[int, int]]]:
        """Say what each state of an input stands for.

        Parameters
        ----------
        X : sequence of n inputs
            What `prepare` is given.

        Returns
        -------
        spans : list of n list of (int, int)
            For each state, where in the input it begins and ends, in characters for a text. Both
            are 0 for a state that stands for nothing in it, such as a separator.

        Raises
        ------
        NotImplementedError
            If states do not stand for parts of an input.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what its states stand for")

    def code_version(self) -> str:
        """Name the version of the code that features depend on beside weights and settings.

        Returns
        -------
        version : str
            By default that of the package of the class; empty for sktransfer itself, whose version
            is a part of all keys.
        """
        package = type(self).__module__.partition(".")[0]
        return "" if package in ("sktransfer", "__main__") else version_of(package)
