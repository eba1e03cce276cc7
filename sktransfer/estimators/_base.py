"""The base class of all estimators: validate inputs, encode targets, train, set attributes.

An estimator says how inputs are validated and which task its targets are; what happens in between
is here. Fitted attributes are set at the very end, so a fit that fails leaves the estimator as it
was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sized
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat.sklearn import num_samples, safe_indexing
from sktransfer._warnings import warn_user
from sktransfer.contracts import Inputs, Modality, Task, resolve
from sktransfer.contracts.parameters import check_decorated
from sktransfer.contracts.registry import modality_class, plural_of
from sktransfer.estimators._chunking import in_parts, joined
from sktransfer.estimators._domains import check_domains, labelled_rows
from sktransfer.estimators._held_out import given_rows, named_rows
from sktransfer.estimators._initial import state_of_encoder, state_of_fitted, state_of_source
from sktransfer.estimators._params import FineTuning, ModelOptions, Runtime
from sktransfer.estimators._search_space import REGISTERED, Tunable
from sktransfer.estimators._training import FitData, ResolvedPlugins, Trained, store_of, train
from sktransfer.tasks.labels import check_weights

if TYPE_CHECKING:
    from sktransfer.training.initial_state import InitialState


class TransferEstimator(
    Runtime, FineTuning, ModelOptions, Tunable, CallbackSupportMixin, BaseEstimator
):
    """Source-then-target training of an encoder and a head."""

    modality: ClassVar[str]

    net_: Any
    backbone_: Any
    history_: list[dict[str, Any]]
    stages_: list[dict[str, Any]]

    # scikit-learn's metadata routing reads these: sample_domain is passed on without a request.
    __metadata_request__fit = {"sample_domain": True}
    __metadata_request__partial_fit = {"sample_domain": True}

    def _resolve(self) -> ResolvedPlugins:
        """Check parameters and find plugins, before data is touched or torch is imported."""
        if isinstance(self.backbone, TransferEstimator):
            raise TypeError(
                f"backbone is a {type(self.backbone).__name__}, whose weights clone would drop: "
                "wrap it, backbone=sklearn.frozen.FrozenEstimator(fitted)."
            )
        modality = self._modality()
        modality.check_options()
        self._validate_params()
        if isinstance(self.backbone, FrozenEstimator):
            backbone = state_of_encoder(self.backbone).model.backbone
        else:
            backbone = self.backbone
        backbone = self._plugin("backbone", backbone)
        if backbone.modality != modality.name:
            given = self.backbone if isinstance(self.backbone, str) else backbone
            raise ValueError(
                f"{type(self).__name__} is for {modality.plural}, but backbone={given!r} reads "
                f"{plural_of(backbone.modality)}, not {modality.plural}: choose another one, such "
                f"as {modality.default_backbone!r}."
            )
        backbone.forward_params(modality.backbone_params())
        return ResolvedPlugins(
            backbone,
            resolve("freeze", self.freeze),
            resolve("head", self.head),
            None if self.alignment is None else resolve("alignment", self.alignment),
            None if self.regulariser is None else resolve("regulariser", self.regulariser),
        )

    def _plugin(self, kind: str, value: Any) -> Any:
        """Make the object that a parameter names, or copy the one that it holds."""
        if kind not in REGISTERED:
            return clone(value)
        return resolve(kind, value, modality=self.modality)

    def _validate_params(self) -> None:
        check_decorated(type(self))
        super()._validate_params()

    def _modality(self) -> Modality:
        """Make the modality with the options that were passed to the estimator."""
        cls = modality_class(self.modality)
        return cls(**{name: getattr(self, name) for name in cls._get_param_names()})

    def _make_task(self, y: Any, weights: np.ndarray, earlier: Task | None, classes: Any) -> Task:
        """Make the task from labelled targets.

        ``earlier`` is the task of the training that this one continues, and ``classes`` what the
        user passed to change its labels.
        """
        raise NotImplementedError(f"{type(self).__name__}._make_task")

    def _task_class(self, y: Any) -> type[Task]:
        """Name the class of the task, which says what marks the rows of y without a label.

        `_make_task` cannot be asked, since it is given labelled targets alone.
        """
        return Task

    def _fitted_task(self) -> Task | None:
        """Make the task of the last fit again; None for an encoder alone."""
        raise NotImplementedError(f"{type(self).__name__}._fitted_task")

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        sample_domain: Any,
        *,
        restart: bool,
        classes: Any = None,
        held_out: tuple[Any, Any] = (None, None),
    ) -> None:
        """Validate X, encode y, train, and set attributes.

        ``restart`` forgets earlier stages; ``held_out`` is ``X_val`` and ``y_val``.
        """
        plugins = self._resolve()
        modality = self._modality()
        inputs = modality.validate_fit(X, plugins.backbone)
        columns = [kept_rows(c, inputs) for c in (y, sample_weight, sample_domain)]
        goes_on = not restart and self.__sklearn_is_fitted__()
        if goes_on:
            modality.check_like_fitted(inputs, vars(self))
        earlier = self._fitted_task() if goes_on else None
        data = self._code(inputs, *columns, earlier=earlier, classes=classes)
        if any(part is not None for part in held_out):
            data = replace(data, given=given_rows(self, *held_out, data.task))
        if not isinstance(self.validation_fraction, Real):
            named = named_rows(self.validation_fraction, len(inputs) + len(inputs.skipped))
            data = replace(data, held_out=kept_rows(named, inputs))
        initial, stage = (state_of_fitted(self), "target") if goes_on else self._initial_state()
        trained = train(self, plugins, data, initial, stage, restart)
        self._keep(trained, plugins)
        if trained.interrupted:
            raise KeyboardInterrupt(trained.interrupted)

    def _code(
        self,
        inputs: Any,
        y: Any,
        sample_weight: Any,
        sample_domain: Any,
        *,
        earlier: Task | None = None,
        classes: Any = None,
    ) -> FitData:
        """Encode the targets of the labelled rows, as the task does it."""
        n_rows = len(inputs)
        if y is None:
            raise ValueError(
                "This estimator requires y to be passed, but the target y is None: one target for "
                "each row of X is expected."
            )
        if num_samples(y) != n_rows:
            raise ValueError(
                f"X and y have inconsistent numbers of samples: {n_rows} inputs, "
                f"{num_samples(y)} targets."
            )
        domains, labelled = None, np.arange(n_rows)
        if sample_domain is not None:
            domains = check_domains(sample_domain, n_rows)
            labelled = labelled_rows(y, domains, self._task_class(y))
        if len(labelled) < n_rows:
            y = safe_indexing(y.tocsr() if issparse(y) else y, labelled)
        sample_weight = check_weights(sample_weight, n_rows)
        if not sample_weight[labelled].any():
            raise ValueError(
                f"sample_weight is 0 for each of the {len(labelled)} rows that have a label, and "
                f"above 0 only for some of the {n_rows - len(labelled)} without one: at least one "
                "row with a label needs a weight above 0."
            )
        task = self._make_task(y, sample_weight[labelled], earlier, classes)
        values = task.encode(y)
        weights = task.row_weights(values, sample_weight[labelled])
        return FitData(inputs, task, values, weights, labelled, sample_weight, domains)

    def _initial_state(self) -> tuple[InitialState | None, str]:
        """Give the weights that `fit` starts from, if not the pretrained ones, and the stage."""
        if self.source is not None:
            return state_of_source(self), "target"
        tuned = isinstance(self.backbone, FrozenEstimator)
        return (state_of_encoder(self.backbone) if tuned else None), "source"

    def _keep(self, trained: Trained, plugins: ResolvedPlugins) -> None:
        """Set the fitted attributes."""
        self._replace_fitted(self._fitted_attributes(trained, plugins))

    def _state_so_far(self, trained: Trained, plugins: ResolvedPlugins) -> dict[str, Any]:
        """Give all attributes that this estimator would have if its training ended now."""
        attributes = self._fitted_attributes(trained, plugins)
        net = attributes["net_"]
        return {**self._not_fitted(), **attributes, "net_": type(net)(net.state)}

    def _fitted_attributes(self, trained: Trained, plugins: ResolvedPlugins) -> dict[str, Any]:
        """Give the fitted attributes that a training leads to."""
        from sktransfer.training.state import FittedNet

        model = trained.model
        counts = {n: p.numel() for n, p in model.module.named_body_parameters()}
        n_trained = sum(count for name, count in counts.items() if name in model.module.trained)
        return {
            **trained.attributes,
            **({} if trained.task is None else trained.task.attributes()),
            "backbone_": model.backbone,
            "n_parameters_": {
                "trained": n_trained,
                "frozen": sum(counts.values()) - n_trained,
            },
            "net_": FittedNet(
                module=model.module,
                backbone=model.backbone,
                backbone_seed=model.backbone_seed,
                head=plugins.head,
                seconds=trained.seconds,
            ),
        }

    def _not_fitted(self) -> dict[str, Any]:
        """Give the parameters, and what else is kept, without fitted attributes."""
        return {n: v for n, v in vars(self).items() if n.startswith("_") or not n.endswith("_")}

    def _replace_fitted(self, attributes: dict[str, Any]) -> None:
        # An attribute that this fit does not set would be left over from an earlier fit.
        self.__dict__ = {**self._not_fitted(), **attributes}

    def _wants_held_out(self, task: Task) -> bool:
        """Say whether something else than early stopping needs held-out rows."""
        return False

    def _trains_in_folds(self, task: Task) -> bool:
        """Say whether rows are held out by further trainings, one a fold, so that none is lost."""
        return False

    def _predicted(self, X: Any, method: str) -> Any:
        """Compute outputs of inputs as a user passed them, and apply a method of the task."""
        check_is_fitted(self)
        task, head = self._fitted_task(), self.net_.head
        function = getattr(task, method)
        return self._mapped(X, lambda outputs, lengths: function(head, outputs, lengths))

    def _module(self) -> Any:
        """Get the fitted module, on the device and in the precision of the parameters."""
        from sktransfer.features.precision import resolve_precision
        from sktransfer.training.execution import resolve_device

        device = resolve_device(self.device)
        module = self.net_.on(device, resolve_precision(self.precision, device))
        module.compiled = bool(self.compile)
        module.progress = bool(self.verbose)
        return module

    def _validate(self, X: Any, start: int = 0) -> Inputs:
        """Validate inputs of a prediction; ``start`` is the position of the first, for messages."""
        modality = self._modality()
        inputs = modality.validate(X, start=start)
        modality.check_like_fitted(inputs, vars(self))
        return inputs

    def _mapped(self, X: Any, function: Callable[..., Any]) -> Any:
        """Apply a function to the float64 outputs of inputs as a user passed them."""
        from sktransfer.features.encode import unique_index

        module, store = self._module(), self._store()
        results = []
        for inputs in in_parts(X, self._validate):
            index = unique_index(inputs)
            part = joined(module.map_outputs(list(index), function, store))
            if len(index) < len(inputs):
                part = safe_indexing(part, [index[x] for x in inputs])
            results.append(part)
        return joined(results)

    def _store(self) -> Any:
        """Open the store of features for predictions, which go on without it after an error."""
        try:
            return store_of(self)
        except (ImportError, OSError) as error:
            warn_user(f"cache={str(self.cache)!r} is not used: {error}")
            return None

    def save(self, path: str | os.PathLike[str], *, embed_backbone: bool = False) -> None:
        """Write the fitted estimator into a folder; `sktransfer.load` reads it.

        Parameters
        ----------
        path : str or path-like
            A folder that does not exist yet, or one that `save` wrote, which is replaced.
        embed_backbone : bool, default=False
            Whether to copy the pretrained weights, so that the folder needs nothing beside it.
            By default they are stored as a reference and a hash.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        OSError
            If the folder cannot be written; what was there before is still there.
        """
        from sktransfer.persistence.estimators import save

        check_is_fitted(self)
        save(self, path, embed_backbone=embed_backbone)

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write encoder and head as an ONNX file, with any number of inputs of any length.

        It takes what the tokenizer gives, or pixels, and computes in fp32;
        `sktransfer.serving.with_onnx` and ``sktransfer predict --onnx`` predict through it. Needs
        the extra ``onnx``.

        Parameters
        ----------
        path : str or path-like
            The file, which is replaced. Weights of more than 2 GB go into a second file beside it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ImportError
            If onnx, onnxscript or onnxruntime is missing.
        ValueError
            If the model cannot be exported, or the file gives other outputs and is not written.
        """
        from pathlib import Path

        from sktransfer.serving.onnx import export_onnx

        check_is_fitted(self)
        # The export builds a new module, since other threads may predict with the fitted one
        # meanwhile, in another precision.
        module = self.net_.state.build("cpu", "fp32")
        examples = self._modality().examples(module.encoder, self.backbone_, vars(self))
        export_onnx(module, examples, Path(path))

    @property
    def seconds_(self) -> list[dict[str, Any]]:
        """Seconds of each stage in this process: loading, fitting the head, epochs, all of it.

        Copies, pickles and saved folders do not hold them.
        """
        check_is_fitted(self)
        return self.net_.seconds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        modality_class(self.modality)().set_tags(tags)
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")


def kept_rows(column: Any, inputs: Inputs) -> Any:
    """Give what belongs to the inputs that were not skipped.

    Parameters
    ----------
    column : array-like of shape (n, ...) or None
        Targets, weights or domains of all inputs that the user passed.
    inputs : Inputs
        Validated.

    Returns
    -------
    column : array-like
    """
    if inputs.positions is None or column is None:
        return column
    # A column of another length is returned as it is: later checks report it.
    n_passed = len(inputs) + len(inputs.skipped)
    same = isinstance(column, Sized) and num_samples(column) == n_passed
    return safe_indexing(column, inputs.positions) if same else column
