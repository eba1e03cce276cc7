"""The base class of encoders of any modality."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from sktransfer.contracts import Inputs, Task
from sktransfer.contracts.registry import modality_class
from sktransfer.estimators._base import TransferEstimator
from sktransfer.estimators._chunking import in_parts, joined
from sktransfer.estimators._domains import has_fractions
from sktransfer.estimators._params import EncoderOptions
from sktransfer.estimators._training import ResolvedPlugins, Trained, execution_of
from sktransfer.tasks.labels import LabelTask, check_labels, check_weights, is_indicator
from sktransfer.tasks.multiclass import MulticlassTask
from sktransfer.tasks.multilabel import MultilabelTask
from sktransfer.tasks.regression import RegressionTask, squared_error

# Fitted attributes of any estimator that are about its encoder, beside those of its modality.
_OF_ENCODERS = ("backbone_", "freeze_", "history_", "n_parameters_", "stages_")


class TransferEncoder(
    EncoderOptions, ClassNamePrefixFeaturesOutMixin, TransformerMixin, TransferEstimator
):
    """Features of inputs, from a pretrained encoder that may be tuned first.

    What inputs are is said by the modality that a subclass names.
    """

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        sample_domain: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> TransferEncoder:
        """Load the encoder; unless ``freeze`` is ``"frozen"``, tune it on labelled inputs.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            Texts, for example; with ``pairs=True``, a frame of two columns.
        y : array-like of shape (n,) or (n, n_outputs), or None, default=None
            Labels, an indicator matrix or numbers. Not looked at while everything is frozen.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Without effect while everything is frozen.
        sample_domain : array-like of int of shape (n,) or None, default=None
            Domain of each row: 0 and above for sources, below 0 for targets. Target rows may be
            without a label: None or NaN in y, or -1 unless y holds numbers. Without effect while
            everything is frozen.
        X_val, y_val : array-like of m inputs and m targets, or None, default=None
            Inputs and targets to hold out, in the form of X and y. All of X is then trained on.
            Without effect while everything is frozen.

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
        plugins = self._resolve()
        if plugins.freeze.trains_body:
            if y is None:
                raise ValueError(
                    f"freeze={self.freeze!r} tunes the encoder on labels, but y is None: pass y, "
                    "or use freeze='frozen'."
                )
            self._fit(X, y, sample_weight, sample_domain, restart=True, held_out=(X_val, y_val))
            return self
        # Nothing is trained, so no input needs to be left out.
        inputs = self._modality().validate_fit(X, plugins.backbone, skip=False)
        check_weights(sample_weight, len(inputs))
        self._load(plugins, inputs)
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
        return joined(
            [self._encoded(module, inputs, store) for inputs in in_parts(X, self._validate)]
        )

    def _encoded(self, module: Any, inputs: Inputs, store: Any) -> np.ndarray:
        """Compute the features of validated inputs; NaN where one cannot be read and is skipped."""
        modality = self._modality()
        unreadable = modality.unreadable(inputs)
        if not unreadable:
            return module.features(inputs.items, store).numpy()
        modality.warn_of_skipped(unreadable, len(inputs), "their features are NaN")
        features = np.full((len(inputs), module.encoder.dim), np.nan, dtype=np.float32)
        good = [i for i in range(len(inputs)) if i not in unreadable]
        if good:
            features[good] = module.features(inputs.take(good).items, store).numpy()
        return features

    @classmethod
    def _from_fitted(cls, estimator: Any) -> FrozenEstimator:
        """Give the encoder of another estimator, fitted; `clone` keeps what it knows."""
        check_is_fitted(estimator)
        own = cls()
        params = estimator.get_params(deep=False)
        own.set_params(**{n: params[n] for n in own.get_params(deep=False) if n in params})
        own.freeze = "frozen"
        names = {*_OF_ENCODERS, *modality_class(cls.modality).fitted_attributes}
        kept = {n: v for n, v in vars(estimator).items() if n in names}
        own._replace_fitted({**kept, "net_": estimator.net_.without_head()})
        return FrozenEstimator(own)

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.encoder.dim

    def _load(self, plugins: ResolvedPlugins, inputs: Inputs) -> None:
        """Load the encoder without training it."""
        from sktransfer.training.execution import isolated_rng
        from sktransfer.training.initial_state import build_model

        execution = execution_of(self)
        initial, _ = self._initial_state()
        with isolated_rng(execution.seed, execution.device):
            model = build_model(plugins.backbone, inputs.items, None, None, initial, execution)
        encoder = model.module.encoder
        truncation = encoder.truncation(encoder.prepare(inputs.items))
        report = self._modality().report(inputs, model.backbone, truncation)
        attributes = {"freeze_": plugins.freeze, "stages_": [], "history_": [], **report}
        self._keep(Trained(model, None, attributes), replace(plugins, head=None))

    def _fitted_attributes(self, trained: Trained, plugins: ResolvedPlugins) -> dict[str, Any]:
        """Give the fitted attributes; a head that the tuning needed is not among them."""
        attributes = super()._fitted_attributes(replace(trained, task=None), plugins)
        return {**attributes, "net_": attributes["net_"].without_head()}

    def _make_task(self, y: Any, weights: np.ndarray, earlier: Task | None, classes: Any) -> Task:
        """Make whatever task suits the targets."""
        if self.task != "regression" and is_indicator(y):
            return MultilabelTask.from_y(y, None, threshold=0.5)
        task = self.task
        if task == "auto":
            continuous = type_of_target(y, input_name="y").startswith("continuous")
            task = "regression" if continuous else "classification"
        if task == "regression":
            return RegressionTask.from_y(y, weights, squared_error)
        return MulticlassTask(np.unique(check_labels(y)))

    def _task_class(self, y: Any) -> type[Task]:
        if self.task == "regression":
            return RegressionTask
        # As in _make_task, numbers with fractions are no labels.
        return RegressionTask if self.task == "auto" and has_fractions(y) else LabelTask

    def _fitted_task(self) -> None:
        return None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Features are float32, whatever inputs are.
        tags.transformer_tags.preserves_dtype = []
        return tags
