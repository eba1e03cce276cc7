"""What encoders share, whatever their inputs are."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat.sklearn import StrOptions
from sktransfer.estimators._classifier import is_indicator
from sktransfer.estimators._labels import LabelChange, check_labels
from sktransfer.estimators._parts import in_parts, joined
from sktransfer.estimators._targets import (
    Targets,
    check_indicators,
    check_weights,
    many_labels_targets,
    numbers_targets,
    one_label_targets,
)
from sktransfer.estimators._transfer import BaseTransfer, Parts, Trained
from sktransfer.estimators._tuning import trains_body
from sktransfer.heads.objectives import Squared

# Fitted attributes of any estimator that are about its encoder.
_OF_ENCODERS = (
    "backbone_",
    "bad_images_",
    "freeze_",
    "history_",
    "n_parameters_",
    "pair_columns_",
    "pairs_",
    "stages_",
    "truncation_report_",
)


class BaseTransferEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseTransfer):
    """Features of inputs, from a pretrained encoder that may be tuned first.

    What reads inputs is mixed in: ``_read_new``, ``_read`` and ``_check_same_kind``.
    """

    _parameter_constraints = {
        **BaseTransfer._parameter_constraints,
        "task": [StrOptions({"auto", "classification", "regression"})],
    }

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> BaseTransferEncoder:
        """Load the encoder; unless ``freeze`` is ``"frozen"``, tune it on labelled inputs.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            Texts, for example; a frame of two columns holds pairs.
        y : array-like of shape (n,) or (n, n_outputs), or None, default=None
            Labels, an indicator matrix or numbers. Not looked at while everything is frozen.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Without effect while everything is frozen.

        Returns
        -------
        self : estimator
            Fitted.

        Raises
        ------
        ValueError
            If a parameter or the data is not as described, or y is missing where it is needed.
        TypeError
            If something among the inputs is of another type.
        TrainingDivergedError
            If the loss becomes NaN or explodes.
        """
        parts = self._resolve()
        inputs = self._read_new(X, parts.backbone)
        inputs, y, sample_weight = self._leave_out(inputs, y, sample_weight)
        check_weights(sample_weight, len(inputs))
        if not trains_body(parts.freeze):
            self._load(Parts(parts.backbone, parts.freeze, None), inputs)
            return self
        if y is None:
            raise ValueError(
                f"freeze={self.freeze!r} tunes the encoder on labels, but y is None: pass y, or "
                "use freeze='frozen'."
            )
        start, stage = self._start()
        targets = self._targets(parts, y, len(inputs), sample_weight)
        self._train(parts, inputs, targets, start, stage, restart=True)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Compute features.

        Parameters
        ----------
        X : list, array, Series, one-column frame or iterator of n inputs
            As for `fit`. An iterator is read a few thousand inputs at a time.

        Returns
        -------
        features : ndarray of float32 of shape (n, dim)
        """
        check_is_fitted(self)
        module, store = self._module(), self._store()
        return joined([self._encoded(module, inputs, store) for inputs in in_parts(X, self._read)])

    def _encoded(self, module: Any, inputs: list[Any], store: Any) -> np.ndarray:
        """Compute the features of inputs that were checked."""
        return module.features(inputs, store).numpy()

    @classmethod
    def _of_fitted(cls, estimator: Any) -> FrozenEstimator:
        """Give the encoder of another estimator, fitted; `clone` keeps what it knows."""
        check_is_fitted(estimator)
        own = cls()
        params = estimator.get_params(deep=False)
        own.set_params(**{n: params[n] for n in own.get_params(deep=False) if n in params})
        own.freeze = "frozen"
        kept = {n: v for n, v in vars(estimator).items() if n in _OF_ENCODERS}
        own._replace_fitted({**kept, "net_": estimator.net_.without_head()})
        return FrozenEstimator(own)

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.encoder.dim

    def _load(self, parts: Parts, inputs: list[Any]) -> None:
        """Keep the encoder as it is."""
        from sktransfer.estimators._assembly import assemble
        from sktransfer.features.precision import resolve_precision
        from sktransfer.training.device import resolve_device
        from sktransfer.training.seeding import draw_seed, isolated_rng

        device = resolve_device(self.device)
        precision = resolve_precision(self.precision, device)
        seed = draw_seed(self.random_state)
        start, _ = self._start()
        nothing = LabelChange.between(None, np.arange(0))
        with isolated_rng(seed, device):
            made = assemble(
                parts.backbone,
                inputs,
                None,
                0,
                start,
                nothing,
                device=device,
                precision=precision,
                seed=seed,
            )
        rows = made.module.encoder.prepare(inputs)
        report = self._report_on_inputs(made.backbone, inputs, rows)
        attributes = {"freeze_": parts.freeze, "stages_": [], "history_": [], **report}
        self._keep(Trained(made, None, attributes), parts)

    def _of_training(self, trained: Trained, parts: Parts) -> dict[str, Any]:
        """Give the fitted attributes; a head that the tuning needed is not among them."""
        found = super()._of_training(Trained(trained.made, None, trained.attributes), parts)
        return {**found, "net_": found["net_"].without_head()}

    def _targets(self, parts: Parts, y: Any, n_rows: int, sample_weight: Any) -> Targets:
        """Code whatever kind of target there is."""
        assert parts.head is not None
        if self.task != "regression" and is_indicator(y):
            labels, sparse = check_indicators(y, n_rows)
            return many_labels_targets(
                labels,
                names=np.arange(labels.shape[1]),
                sparse=sparse,
                threshold=0.5,
                class_weight=None,
                sample_weight=sample_weight,
                smoothing=0.0,
            )
        task = self.task
        if task == "auto":
            continuous = type_of_target(y, input_name="y").startswith("continuous")
            task = "regression" if continuous else "classification"
        if task == "regression":
            return numbers_targets(
                y, n_rows, objective=Squared(), sample_weight=sample_weight, scaling=None
            )
        labels = check_labels(y, n_rows)
        return one_label_targets(
            labels,
            np.unique(labels),
            head=parts.head,
            class_weight=None,
            sample_weight=sample_weight,
            smoothing=0.0,
        )

    def _reading(self) -> None:
        return None
