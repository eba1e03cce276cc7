"""The text regressor."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat.sklearn import Interval, StrOptions
from sktransfer.estimators._reading import NumbersReading
from sktransfer.estimators._source import start_of_fitted
from sktransfer.estimators._targets import Targets, numbers_targets
from sktransfer.estimators._text_input import TextInput
from sktransfer.estimators._transfer import BaseTransfer, Parts
from sktransfer.estimators.text_encoder import TransferTextEncoder
from sktransfer.heads.objectives import Huber, Objective, Quantile, Squared

__all__ = ["TransferTextRegressor"]


class TransferTextRegressor(RegressorMixin, TextInput, BaseTransfer):
    """Predict numbers from texts with a pretrained encoder.

    The target is standardised inside, and predictions are in the caller's units. With
    ``freeze="frozen"`` and the squared error it is the ridge regression on the features.

    Parameters
    ----------
    backbone : str, path-like, Backbone or FrozenEstimator, default="minilm"
        As in `TransferTextClassifier`.
    freeze : str or FreezeStrategy, default="auto"
        Which blocks of the encoder train when; ``"auto"`` picks by the number of rows and says
        why in ``decision_``.
    head : str or Head, default="linear"
        ``"linear"``, ``"mlp"`` or a parameter object.
    loss : {"squared_error", "huber", "quantile"}, default="squared_error"
        Predict the mean; a mean on which outliers pull less; or a quantile.
    delta : float, default=1.35
        Error from which the Huber loss grows linearly, in standard deviations of the target.
    quantile : float, default=0.5
        Which quantile ``loss="quantile"`` predicts; 0.5 is the median.
    source : FrozenEstimator, path-like or None, default=None
        A fitted estimator in `sklearn.frozen.FrozenEstimator`, or the folder that ``save`` wrote.
        Its encoder is where `fit` starts, and its head where it predicts as many numbers.
    max_epochs : int or "auto", default="auto"
        Epochs of each call of `fit` and `partial_fit`; ``"auto"`` goes by the number of rows.
    batch_size : int, default=16
        Rows of a training batch.
    lr : float or "auto", default="auto"
        Peak learning rate of the encoder; the head's is a multiple of it.
    weight_decay : float, default=0.01
        Of AdamW, on weights; biases and norms have none.
    warmup : float, default=0.1
        Fraction of the steps in which the learning rate rises; then it falls to zero.
    average : {"ema", "soup"} or None, default=None
        Keep a mean of the weights along the training instead of the last ones.
    early_stopping : bool, default=False
        Whether to hold rows out, stop when their score no longer improves, and restore the best
        weights.
    validation_fraction : float, default=0.1
        Fraction of rows that early stopping holds out.
    n_iter_no_change : int, default=3
        Epochs without a better score before the training stops.
    scoring : str, callable or None, default=None
        What early stopping scores by; None is R2.
    max_length : int or None, default=None
        Longest text in tokens; see ``long_text`` for longer ones. None leaves it to the backbone.
    long_text : {"truncate", "head_tail", "window_mean", "window_max"}, default="truncate"
        What is read of a longer text: its beginning; its beginning and end; or all of it, in
        windows of ``max_length`` whose features are averaged, or maximised.
    stride : int or None, default=None
        Tokens from the beginning of a window to that of the next; None lets them not overlap.
    precision : {"auto", "bf16", "fp32"}, default="auto"
        In which the encoder runs. ``"auto"`` is bf16 where the hardware has it, and fp32
        elsewhere; weights are always kept and updated in fp32. In bf16 a probability moves in the
        third digit with the texts that are predicted beside it.
    compile : bool, default=False
        Whether torch compiles the encoder for computing features, which takes some seconds once in
        a process. Of MiniLM on a CPU it saves a few per cent in half precision, and nothing else.
        Training is not compiled.
    device : str, default="auto"
        As torch names devices; ``"auto"`` is the first CUDA device, or the CPU.
    cache : None, "memory" or path-like, default=None
        Where features of single texts are kept between fits, folds and searches: nowhere, in this
        process, or in a folder that processes share and restarts keep (extra ``cache``). Used
        where the encoder does not train, and in prediction.
    random_state : int, RandomState instance or None, default=None
        Seeds everything random.
    verbose : int, default=0
        With 1, a line is printed for each epoch.
    callbacks : list or None, default=None
        skorch callbacks, which are copied and never changed, or functions that return one, for
        those that cannot be copied: ``[lambda: TensorBoard(SummaryWriter("runs"))]``.

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation of the targets of the first stage; later stages keep them.
    n_targets_ : int or None
        Columns of y; None where it had one dimension.
    encoder_ : FrozenEstimator
        The tuned encoder as a fitted `TransferTextEncoder`.
    net_, backbone_, freeze_, decision_, history_, n_iter_, stages_, n_parameters_ :
        As in `TransferTextClassifier`; so are ``pairs_`` and ``truncation_report_``.

    See Also
    --------
    sklearn.linear_model.Ridge : What the head is when nothing else trains, with ``alpha=1 / C``.

    Notes
    -----
    Ratings in a few steps, such as one to five stars, are ordinal: regression uses their order,
    where classification ignores it. Round the predictions where whole steps are wanted.

    Examples
    --------
    >>> from sktransfer import TransferTextRegressor
    >>> texts = ["a lovely film", "great fun", "a dull film", "boring"] * 5
    >>> stars = [5.0, 4.0, 2.0, 1.0] * 5
    >>> reg = TransferTextRegressor("hashing", freeze="frozen", random_state=0).fit(texts, stars)
    >>> reg.predict(["lovely fun"])[0] > reg.predict(["dull, boring"])[0]
    np.True_
    """

    _parameter_constraints = {
        **BaseTransfer._parameter_constraints,
        **TextInput._parameter_constraints,
        "loss": [StrOptions({"squared_error", "huber", "quantile"})],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        backbone: Any = "minilm",
        *,
        freeze: Any = "auto",
        head: Any = "linear",
        loss: str = "squared_error",
        delta: float = 1.35,
        quantile: float = 0.5,
        source: Any = None,
        max_epochs: Any = "auto",
        batch_size: int = 16,
        lr: Any = "auto",
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        average: str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        scoring: Any = None,
        max_length: int | None = None,
        long_text: str = "truncate",
        stride: int | None = None,
        precision: str = "auto",
        compile: bool = False,
        device: str = "auto",
        cache: Any = None,
        random_state: Any = None,
        verbose: int = 0,
        callbacks: Any = None,
    ) -> None:
        self.backbone = backbone
        self.freeze = freeze
        self.head = head
        self.loss = loss
        self.delta = delta
        self.quantile = quantile
        self.source = source
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.average = average
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.max_length = max_length
        self.long_text = long_text
        self.stride = stride
        self.precision = precision
        self.compile = compile
        self.device = device
        self.cache = cache
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TransferTextRegressor:
        """Train from the pretrained weights, or from ``source``; forgets any earlier fit.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n str
            Texts; a frame of two columns holds pairs.
        y : array-like of shape (n,) or (n, n_targets)
            Numbers.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.

        Returns
        -------
        self : TransferTextRegressor

        Raises
        ------
        ValueError
            If a parameter or the data is not as described.
        TypeError
            If something among the texts is not text.
        TrainingDivergedError
            If the loss becomes NaN or explodes.
        """
        parts = self._resolve()
        texts = self._read_new(X, parts.backbone)
        targets = self._targets(parts, y, len(texts), None, sample_weight)
        start, stage = self._start()
        self._train(parts, texts, targets, start, stage, restart=True)
        return self

    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> TransferTextRegressor:
        """Go on training: the same weights, a new optimizer and schedule.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n str
            Texts; a frame of two columns holds pairs.
        y : array-like of shape (n,) or (n, n_targets)
            Numbers, in the units of `fit`.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.

        Returns
        -------
        self : TransferTextRegressor

        Raises
        ------
        ValueError
            If a parameter or the data is not as described. The estimator stays as it was.
        TypeError
            If something among the texts is not text.
        TrainingDivergedError
            If the loss becomes NaN or explodes.
        """
        parts = self._resolve()
        fitted = self.__sklearn_is_fitted__()
        texts = self._read_new(X, parts.backbone)
        if fitted:
            self._check_same_kind(texts)
        scaling = self._reading() if fitted else None
        targets = self._targets(parts, y, len(texts), scaling, sample_weight)
        start, stage = (start_of_fitted(self), "target") if fitted else self._start()
        self._train(parts, texts, targets, start, stage, restart=False)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict numbers.

        Parameters
        ----------
        X : list, array, Series, one-column frame or iterator of n str
            As for `fit`. An iterator is read a few thousand inputs at a time.

        Returns
        -------
        y : ndarray of float64 of shape (n,) or (n, n_targets)
        """
        check_is_fitted(self)
        return self._mapped(X, self._reading().predict)

    @property
    def encoder_(self) -> Any:
        """The tuned encoder, as a fitted transformer that `clone` keeps."""
        return TransferTextEncoder._of_fitted(self)

    def _targets(
        self,
        parts: Parts,
        y: Any,
        n_rows: int,
        scaling: NumbersReading | None,
        sample_weight: Any,
    ) -> Targets:
        objective: Objective = {
            "squared_error": Squared(),
            "huber": Huber(float(self.delta)),
            "quantile": Quantile(float(self.quantile)),
        }[self.loss]
        return numbers_targets(
            y, n_rows, objective=objective, sample_weight=sample_weight, scaling=scaling
        )

    def _reading(self) -> NumbersReading:
        return NumbersReading(self.target_mean_, self.target_scale_, self.n_targets_ is None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
