"""A search of scikit-learn's interface that runs Optuna."""

from __future__ import annotations

import time
from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.callback import with_callbacks
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, indexable

from sktransfer._compat import sklearn as private
from sktransfer._warnings import SAID, said_once, warn_user
from sktransfer.tuning.space import checked_space, current_point

if TYPE_CHECKING:
    from sktransfer.tuning._fold import Evaluation

__all__ = ["TransferSearchCV"]

# Number of trials before the first is pruned, and of steps of a training, in tenths of a fold, so
# that trainings which begin slowly are not pruned.
_N_UNPRUNED, _N_WARMUP_STEPS = 5, 5


class TransferSearchCV(private.BaseSearchCV):
    """Search hyperparameters with Optuna, with the interface of scikit-learn's searches.

    Parameters
    ----------
    estimator : estimator
        Any estimator, also a Pipeline.
    search_space : dict or None, default=None
        A list of choices, or a distribution of ``optuna.distributions``, for each parameter. A list
        may offer paths, and fitted models in `sklearn.frozen.FrozenEstimator`, which print as their
        class and a hash, so that no two of them look the same. None is
        `sktransfer.tuning.search_space` of the estimator. A trial has parameters only of those
        plugins that it chose.
    n_trials : int, default=30
        Number of trials of all calls and processes that share a study. Each further process may
        add one. The first trial is the estimator as it stands, also where the space does not have
        its values; it is not pruned.
    timeout : float or None, default=None
        Time in seconds after which no fold begins, and trainings stop at the end of their epoch.
        If the estimator trains as it stands, the trials that fit heads alone do not wait for it.
    cv : int, splitter, iterable or None, default=5
        As in scikit-learn.
    scoring : str, callable, list, tuple, dict or None, default=None
        As in scikit-learn. Of several metrics, ``refit`` names the one that is maximised.
    n_jobs : int or None, default=None
        Number of folds that joblib fits at once, also on the workers of
        ``joblib.parallel_config("dask")``.
    batch_size : int, default=1
        Number of trials that are chosen at once. More trials keep a larger ``n_jobs`` busy, and are
        chosen with fewer results. The results depend on this, but not on ``n_jobs``.
    sampler : optuna.samplers.BaseSampler or None, default=None
        None is a Gaussian process for at most 30 trials, and TPE for more. After the first trial
        come heads on frozen features, a third of the trials and at most ten, and then the defaults
        of each strategy that trains, as far as the space has them. Another sampler is reseeded at
        random if there is a storage, since processes that share a study would otherwise choose the
        same trials.
    pruner : optuna.pruners.BasePruner or None, default=None
        Pruner, which ends trials early. It decides after folds (the first, the third, the
        seventh...), and between the epochs of an estimator of this package that trains its encoder,
        also at the end of a pipeline, by the mean score of the folds so far; each fold has ten
        steps, and is scored at every second one at most. None is a `optuna.pruners.MedianPruner`
        that waits for five trials and for half a fold; `optuna.pruners.NopPruner` never prunes.
    storage : str, path-like, optuna.storages.BaseStorage or None, default=None
        Storage of the study: None is the memory, a path is an SQLite file, and a URL is any
        database, such as ``postgresql://user@host/name``. The same call continues an earlier one
        that ended, was interrupted or was killed: finished folds are kept, and the trial that was
        running is queued again, at most twice. Processes that run the same script share the trials.
        Data, folds, scoring and all parameters of the estimator that are not searched have to be
        the same. Put a password into a file such as ``.pgpass``, since the repr of a search shows
        the URL.
    study_name : str or None, default=None
        Name of the study in the storage; None is ``"search"``.
    refit : bool, str or callable, default=True
        As in scikit-learn. With several metrics, the name of the one that is maximised. If ``fit``
        is called again with the same ``storage``, and the best parameters are the same,
        ``best_estimator_`` is kept. Another process fits it again, since a study has no models.
    random_state : int, RandomState instance or None, default=None
        Seed of the default sampler. An int gives the same trials in every call and with any
        ``n_jobs``, unless a process is killed or shares the study with others.
    verbose : int, default=0
        As in scikit-learn. Above 0 a line also says why the search stopped.
    pre_dispatch : int or str, default="2*n_jobs"
        As in scikit-learn.
    error_score : "raise" or float, default=np.nan
        As in scikit-learn. A trial fails, and the search goes on, if its score is not finite.
    return_train_score : bool, default=False
        As in scikit-learn.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As in `sklearn.model_selection.GridSearchCV`, for all trials of the study. ``cv_results_``
        has two more columns: ``trial_number``, and ``trial_state``: "complete", "pruned", "fail",
        or "unfinished" for a trial that was cut off, such as by the timeout. The first trial has
        the values of the estimator, such as "auto". A parameter that a trial does not have is
        masked, and a fold that was not fitted is nan. A callable ``refit`` gets the complete
        trials.
    stop_reason_ : {"n_trials", "timeout", "exhausted", "interrupted", "error"}
        Why the search stopped: all trials were made, time was over, a sampler such as that of a
        grid has tried all settings, Ctrl-C, or another exception that `fit` raised.
    study_ : optuna.study.Study
        Study with all trials, whose ``user_attrs`` hold the scores and seconds of folds, and as
        "error" the reason why a trial failed.
    sampler_ : optuna.samplers.BaseSampler
        Sampler of the trials; if ``sampler`` is None, each trial has its own of this type.
    pruner_ : optuna.pruners.BasePruner
        Pruner of the trials.
    search_space_ : mapping of str to optuna.distributions.BaseDistribution
        Distribution of each parameter.

    Raises
    ------
    ValueError
        Before anything is fitted, if the space is empty or does not fit the estimator, or the study
        is of another search; afterwards, if no trial ended in time, or every trial failed. The
        message then has the first one's reason, and the error is a TypeError if that was one.
    ConnectionError
        If the storage cannot be reached.

    Notes
    -----
    Features of the inputs, and the activations below the lowest block that trains, are shared by
    all fits of a process, in memory, unless the estimator has a ``cache`` of its own.

    Target rows without a label, which `fit` knows by ``sample_domain``, are trained on and left
    out of what is scored. `sklearn.model_selection.GridSearchCV` scores them as a label of -1.

    References
    ----------
    .. [1] Akiba, T., Sano, S., Yanase, T., Ohta, T. and Koyama, M. (2019). Optuna: a
       next-generation hyperparameter optimization framework. KDD. arXiv:1907.10902.

    Examples
    --------
    >>> from sktransfer import TransferSearchCV, TransferTextClassifier
    >>> clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    >>> search = TransferSearchCV(clf, {"head__C": [0.1, 10.0]}, n_trials=2, cv=2, random_state=0)
    >>> search = search.fit(["good", "bad", "fine", "poor"] * 4, [1, 0, 1, 0] * 4)
    >>> sorted(search.best_params_)
    ['head__C']
    """

    _parameter_constraints: dict[str, Any] = {
        **private.BaseSearchCV._parameter_constraints,
        "search_space": "no_validation",  # its own errors say more
        "n_trials": [private.Interval(Integral, 1, None, closed="left")],
        "timeout": [private.Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [private.Interval(Integral, 1, None, closed="left")],
        "sampler": [private.HasMethods(["sample_relative", "sample_independent"]), None],
        "pruner": [private.HasMethods("prune"), None],
        "storage": "no_validation",
        "study_name": [str, None],
        "random_state": ["random_state"],
    }

    # Of what `best_estimator_` was fitted with, where an earlier call of this object fitted it.
    _refitted: str | None = None

    def __init__(
        self,
        estimator: Any,
        search_space: Mapping[str, Any] | None = None,
        n_trials: int = 30,
        timeout: float | None = None,
        cv: Any = 5,
        scoring: Any = None,
        n_jobs: int | None = None,
        batch_size: int = 1,
        sampler: Any = None,
        pruner: Any = None,
        storage: Any = None,
        study_name: str | None = None,
        refit: Any = True,
        random_state: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(estimator, scoring=scoring, n_jobs=n_jobs, refit=refit, cv=cv)
        self.verbose, self.pre_dispatch = verbose, pre_dispatch
        self.error_score, self.return_train_score = error_score, return_train_score
        self.search_space, self.n_trials, self.timeout = search_space, n_trials, timeout
        self.batch_size, self.sampler, self.pruner = batch_size, sampler, pruner
        self.storage, self.study_name, self.random_state = storage, study_name, random_state

    @private.fit_context(prefer_skip_nested_validation=False)
    @with_callbacks
    def fit(self, X: Any, y: Any = None, **params: Any) -> TransferSearchCV:
        """Search, and fit the estimator with the best parameters on all data.

        Parameters
        ----------
        X : sequence of n inputs
            Inputs.
        y : sequence of n targets or None, default=None
            Targets.
        **params : dict
            As in `sklearn.model_selection.GridSearchCV.fit`, such as ``groups``.

        Returns
        -------
        self : TransferSearchCV
        """
        from optuna.logging import ERROR, WARNING

        from sktransfer.features.corpus import forgetting
        from sktransfer.tuning._log_level import optuna_log_level
        from sktransfer.tuning._loop import SearchLoop
        from sktransfer.tuning._stop import describe_stop

        deadline = None if self.timeout is None else time.time() + self.timeout
        scorer, metric = private.scorer_of(self)
        self.multimetric_ = isinstance(scorer, private.MultimetricScorer)
        if self.multimetric_ and not isinstance(self.refit, str):
            names = sorted(private.scorers_by_name(scorer))
            raise ValueError(
                f"With several metrics refit has to name one of {names}, got refit={self.refit!r}."
            )
        several = self.multimetric_
        X, y = indexable(X, y)
        params = private.check_method_params(X, params=params)
        routed = private.routed_params(self, params)
        weights = params.get("sample_weight")
        metadata = None if weights is None else {"sample_weight": weights}
        data = {"X": X, "y": y, "metadata": metadata}
        root = private.root_callback_context(
            self, max_subtasks=1 + (self.refit is not False)
        ).call_on_fit_task_begin(estimator=self, **data)
        self.search_space_ = checked_space(self.estimator, self.search_space)
        self._point = current_point(self.estimator, self.search_space_)
        evaluation = self._evaluation(X, y, scorer, routed)
        # Optuna's messages about a default sampler and its study are of no use to the user.
        with optuna_log_level(ERROR if self.sampler is None else WARNING), forgetting():
            described = self._open_study(evaluation, [X, y, params])
            loop = SearchLoop(self, evaluation, (X, y), deadline, root)
            try:
                loop.run()
            finally:
                self.stop_reason_ = loop.stop_reason
                if self.verbose:
                    print(f"[TransferSearchCV] {describe_stop(self)}.")
            self._set_results(metric)
        self.scorer_ = private.scorers_by_name(scorer) if several else scorer
        if self.refit:
            with said_once(evaluation.name):
                self._refit(root, data, routed.estimator.fit, described)
        SAID.pop(evaluation.name, None)
        root.call_on_fit_task_end(estimator=self, **data)
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "study_" in state:
            from sktransfer._compat.optuna import copy_in_memory

            # Otherwise a fitted search could only be loaded with access to its database.
            state["study_"] = copy_in_memory(state["study_"])
        return state

    def _evaluation(self, X: Any, y: Any, scorer: Any, routed: Any) -> Evaluation:
        """Split the data, and collect all that the folds of all trials share."""
        from sktransfer.tuning._fold import Evaluation, Fold
        from sktransfer.tuning._labelled import find_labelled, scored_rows

        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = enumerate(cv.split(X, y, **routed.splitter.split))
        labelled = find_labelled(self.estimator, X, y, routed.estimator.fit)
        folds = [
            Fold(i, np.asarray(train), scored_rows(test, labelled, i))
            for i, (train, test) in splits
        ]
        if not folds:
            raise ValueError("No fits were performed: the cv iterator gave no folds.")
        self.n_splits_ = len(folds)
        # Workers get a copy of the search without fitted, connected or large attributes.
        removed = dict.fromkeys(("storage", "sampler", "pruner"))
        settings = {**self.get_params(deep=False), "estimator": clone(self.estimator), **removed}
        params = routed.estimator.fit, routed.scorer.score
        return Evaluation(type(self)(**settings), folds, scorer, *params, labelled)

    def _open_study(self, evaluation: Evaluation, data: list[Any]) -> dict[str, Any] | None:
        """Set sampler, pruner and study; return what searches that share the study agree on."""
        from optuna.pruners import MedianPruner

        from sktransfer.tuning import _study
        from sktransfer.tuning._fingerprint import describe_search
        from sktransfer.tuning._sampling import make_sampler, seeded_sampler
        from sktransfer.tuning._start import enqueue_first_trial

        self.pruner_ = self.pruner
        if self.pruner is None:
            self.pruner_ = MedianPruner(_N_UNPRUNED, _N_WARMUP_STEPS)
        sampler = self.sampler_ = self.sampler
        if self.sampler is None:
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            self.sampler_ = make_sampler(self.n_trials, seed)
            sampler = seeded_sampler(self.estimator, self.search_space_, self.n_trials, seed)
        elif self.storage is not None:
            # Processes that share a study would choose the same trials.
            self.sampler_.reseed_rng()
        self.study_ = _study.open_study(self.storage, self.study_name, sampler, self.pruner_)
        described = describe_search(self, evaluation, data)
        if described is not None:
            _study.check_study_metadata(self.study_, described)
        enqueue_first_trial(self.study_, self._point, self.search_space_)
        return described

    def _set_results(self, metric: Any) -> None:
        """Set the attributes that scikit-learn's searches have, from the study."""
        from sktransfer.tuning._results import has_failed, listed_trials, reason_of, rows_of
        from sktransfer.tuning._start import params_of

        listed = listed_trials(self.study_)
        trials, states = [trial for trial, _ in listed], [state for _, state in listed]
        params = [self.search_space_.restored(params_of(trial, self._point)) for trial in trials]
        failed = [i for i, trial in enumerate(trials) if has_failed(trial)]
        if failed:
            n, first, reason = len(failed), params[failed[0]], reason_of(trials[failed[0]])
            why = f"{n} of {len(trials)} trials failed, the first with {first}: {reason}"
            if "complete" not in states:
                raise (TypeError if reason.startswith("TypeError") else ValueError)(why)
            warn_user(why, FitFailedWarning)
        elif "complete" not in states:
            raise ValueError(
                f"No trial ended within timeout={self.timeout}, without being pruned: allow more "
                "time, fewer folds, or a pruner that waits longer."
            )
        error_score = np.nan if self.error_score == "raise" else self.error_score
        rows = rows_of(trials, self.n_splits_, self.return_train_score, error_score)
        # A scoring function of the user may return several metrics.
        self.multimetric_ |= isinstance(rows[0]["test_scores"], dict)
        if self.multimetric_ and callable(self.scoring):
            private.check_refit_for_multimetric(self, rows[0]["test_scores"])
            metric = self.refit
        more: dict[str, Any] = {"trial_number": [trial.number for trial in trials]}
        more["trial_state"] = states
        self.cv_results_ = private.format_results(self, params, self.n_splits_, rows, more)
        if self.refit or not self.multimetric_:
            results, places = self.cv_results_, np.arange(len(trials))
            if callable(self.refit):
                # A callable need not handle trials without a mean.
                places = np.flatnonzero([state == "complete" for state in states])
                results = {k: v[places] for k, v in results.items() if k != "params"}
                results["params"] = [params[i] for i in places]
            best = private.select_best_index(self, metric, results)
            self.best_index_ = places[best]
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{metric}"][best]
            self.best_params_ = params[self.best_index_]

    def _refit(
        self, root: Any, data: dict[str, Any], fit_params: dict[str, Any], described: Any
    ) -> None:
        """Fit the estimator with the best parameters on all data, unless this object has done so.

        What is not stored is searched anew in each call, and fitted anew.
        """
        from sktransfer.tuning._fingerprint import key_of_fit

        best = clone(self.estimator).set_params(**self.best_params_)
        key = None if self.storage is None else key_of_fit(best, described)
        if key is not None and key == self._refitted:
            return
        self.best_estimator_, self._refitted = best, None
        context = root.subcontext(task_name="refit-with-best-params")
        with context.propagate_callback_context(best):
            context.call_on_fit_task_begin(estimator=self, **data)
            start = time.time()
            best.fit(*(data[key] for key in "Xy" if data[key] is not None), **fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_
        context.call_on_fit_task_end(estimator=self, **data)
        self._refitted = key
