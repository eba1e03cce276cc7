"""The text classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sktransfer.estimators._labels import check_classes, check_labels
from sktransfer.estimators._source import Start, start_of_fitted
from sktransfer.estimators._texts import check_texts
from sktransfer.estimators._transfer import BaseTransfer, _proba

__all__ = ["TransferTextClassifier"]


class TransferTextClassifier(ClassifierMixin, BaseTransfer):
    """Classify texts with a pretrained encoder.

    Stands where ``make_pipeline(TfidfVectorizer(), LogisticRegression())`` stood: `fit` takes
    texts and labels of any type. `partial_fit` goes on from there, also to another label set:
    fit on a large source task, then on a few labelled texts of the target.

    Parameters
    ----------
    backbone : str, path-like or Backbone, default="minilm"
        The pretrained encoder: a registered name (``sktransfer plugins`` lists them), a hub id
        ``"owner/name"``, a folder as a ``pathlib.Path``, or a parameter object.
    freeze : str or FreezeStrategy, default="auto"
        Which blocks of the encoder train when: ``"frozen"`` fits the head alone, to convergence;
        ``"full"``, ``"top_layers"``, ``"bottom_layers"``, ``"lp_ft"``, ``"gradual"``,
        ``"chain_thaw"`` and ``"bias_only"`` train more; ``"auto"`` picks by the labelled rows per
        class and says why in ``decision_``.
    head : str or Head, default="linear"
        ``"linear"``, ``"mlp"`` or a parameter object.
    source : FrozenEstimator, path-like or None, default=None
        A fitted estimator in `sklearn.frozen.FrozenEstimator`, or the folder that `save` wrote.
        Its encoder is where `fit` starts, and its head where labels agree. Unlike an earlier
        `fit` it survives `clone`, so it works under every search and cross-validation.
    max_epochs : int or "auto", default="auto"
        Epochs of each call of `fit` and `partial_fit`. ``"auto"`` is 10 for up to 500 rows, falls
        to 3 for many, and is never less than the strategy needs to unfreeze everything.
    batch_size : int, default=16
        Rows of a training batch.
    lr : float or "auto", default="auto"
        Peak learning rate of the encoder; the head's is a multiple of it. ``"auto"`` is what suits
        the backbone and strategy.
    weight_decay : float, default=0.01
        Of AdamW, on weights; biases and norms have none.
    warmup : float, default=0.1
        Fraction of the steps in which the learning rate rises; then it falls to zero.
    class_weight : dict, "balanced" or None, default=None
        As in scikit-learn.
    early_stopping : bool, default=False
        Whether to hold rows out, score them after each epoch, stop when the score no longer
        improves, and restore the best weights. Without effect where only the head is fitted.
    validation_fraction : float, default=0.1
        Fraction of rows that early stopping holds out.
    n_iter_no_change : int, default=3
        Epochs without a better score before the training stops.
    scoring : str, callable or None, default=None
        What early stopping scores by, as scikit-learn names it; None is the accuracy. A callable
        is given labels and predictions, as `sklearn.metrics.make_scorer` makes it, and no texts.
    max_length : int or None, default=None
        Longest text in tokens; what follows is not read. None leaves it to the backbone.
    precision : {"auto", "bf16", "fp32"}, default="auto"
        In which the encoder runs. ``"auto"`` is bf16 where the hardware has it, and fp32
        elsewhere. Weights are always kept and updated in fp32.
    device : str, default="auto"
        As torch names devices; ``"auto"`` is the first CUDA device, or the CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds everything random. The same int gives the same bits at the same number of threads.
    verbose : int, default=0
        With 1, a line is printed for each epoch.
    callbacks : list of skorch callbacks or None, default=None
        Run beside our own; copied, never changed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    net_ : FittedNet
        Holds the trained module as ``net_.module_``. Its pickle refers to the pretrained weights
        by hash, and contains only what was trained.
    history_ : list of dict
        One for each epoch of all stages.
    n_iter_ : int
        Epochs of the last stage; where only the head was fitted, iterations of its solver.
    stages_ : list of dict
        What each call of `fit` and `partial_fit` did: rows, epochs, blocks trained, labels kept,
        added and dropped.
    freeze_ : FreezeStrategy
        The strategy of the last stage.
    decision_ : dict
        What was settled for the last stage, and why.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : What the head is when nothing else trains.

    Examples
    --------
    >>> from sktransfer import TransferTextClassifier
    >>> texts = ["a lovely film", "great fun", "a dull film", "boring"] * 5
    >>> labels = ["good", "good", "bad", "bad"] * 5
    >>> clf = TransferTextClassifier(backbone="hashing", random_state=0).fit(texts, labels)
    >>> clf.predict(["a great lovely film", "dull and boring"])
    array(['good', 'bad'], dtype='<U4')

    Another label set keeps the encoder:

    >>> clf.partial_fit(["where is it?", "it is here"] * 5, [1, 0] * 5, classes=[0, 1]).classes_
    array([0, 1])
    >>> [stage["stage"] for stage in clf.stages_]
    ['source', 'target']
    """

    _parameter_constraints = {
        **BaseTransfer._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        backbone: Any = "minilm",
        *,
        freeze: Any = "auto",
        head: Any = "linear",
        source: Any = None,
        max_epochs: Any = "auto",
        batch_size: int = 16,
        lr: Any = "auto",
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        class_weight: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        scoring: Any = None,
        max_length: int | None = None,
        precision: str = "auto",
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        callbacks: Any = None,
    ) -> None:
        self.backbone = backbone
        self.freeze = freeze
        self.head = head
        self.source = source
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.max_length = max_length
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TransferTextClassifier:
        """Train from the pretrained weights, or from ``source``; forgets any earlier fit.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n str
            Texts.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.

        Returns
        -------
        self : TransferTextClassifier

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
        texts = check_texts(X, fitting=True)
        labels = check_labels(y, len(texts))
        classes = np.unique(labels)
        start = self._source_start()
        stage = "source" if start is None else "target"
        self._train(parts, texts, labels, sample_weight, classes, start, stage, restart=True)
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> TransferTextClassifier:
        """Go on training: the same weights, a new optimizer and schedule.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n str
            Texts.
        y : array-like of shape (n,)
            Labels.
        classes : array-like of shape (n_classes,) or None, default=None
            The label set from now on: what the head knows of labels that stay is kept, others are
            added or dropped. None keeps the label set. Needed in the first call without `fit`.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.

        Returns
        -------
        self : TransferTextClassifier

        Raises
        ------
        ValueError
            If a label is not in the label set, or a parameter or the data is not as described.
            The estimator stays as it was.
        TypeError
            If something among the texts is not text.
        TrainingDivergedError
            If the loss becomes NaN or explodes.
        """
        parts = self._resolve()
        fitted = self.__sklearn_is_fitted__()
        if classes is not None:
            label_set = check_classes(classes)
        elif fitted:
            label_set = self.classes_
        else:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: partial_fit(X, y, "
                "classes=[...]) names the labels to begin with; a later call may name others."
            )
        texts = check_texts(X, fitting=True)
        labels = check_labels(y, len(texts))
        start: Start | None = start_of_fitted(self) if fitted else self._source_start()
        stage = "source" if start is None else "target"
        self._train(parts, texts, labels, sample_weight, label_set, start, stage, restart=False)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the log-odds of labels.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n str
            Texts.

        Returns
        -------
        scores : ndarray of shape (n,) or (n, n_classes)
            With two labels, of the second against the first.
        """
        proba = self.predict_proba(X)
        log = np.log(np.maximum(proba, np.finfo(float).tiny))
        return log[:, 1] - log[:, 0] if proba.shape[1] == 2 else log

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n str
            Texts.

        Returns
        -------
        labels : ndarray of shape (n,)
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n str
            Texts.

        Returns
        -------
        proba : ndarray of float64 of shape (n, n_classes)
            Columns follow ``classes_``; rows sum to 1.
        """
        check_is_fitted(self)
        return _proba(self.net_.state.head, self._outputs(check_texts(X)))

    def _check_trainable(self, codes: np.ndarray, classes: np.ndarray) -> None:
        if len(np.unique(codes)) < 2:
            raise ValueError(
                f"y needs labels of at least 2 classes, but contains only one class: "
                f"{classes.tolist()[codes[0]]!r}."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags
