"""Optuna inside scikit-learn's search."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.callback import with_callbacks
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state, indexable
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_method_params

from sktransfer._warnings import warn_user
from sktransfer.tuning._trial import ask, checked_space
from sktransfer.tuning.space import starting_points

__all__ = ["TransferSearchCV"]

# Trials that a median needs before it says anything, and tenths of a fold in which trainings that
# begin slowly are left alone.
_N_UNPRUNED, _N_WARMUP_STEPS = 5, 5


class TransferSearchCV(BaseSearchCV):
    """Search hyperparameters with Optuna, as scikit-learn's searches do.

    Parameters
    ----------
    estimator : estimator
        Any, also a Pipeline.
    search_space : dict or None, default=None
        Parameter to a list of choices, or to a distribution of ``optuna.distributions``. None
        takes `sktransfer.tuning.search_space`: what the estimator and its plugins declare. Of the
        parameters of a plugin, those of the one that a trial chose are asked for.
    n_trials : int, default=30
        How many settings are tried: in all calls and processes that share a study. Each further
        process may add one, since all look before they ask.
    timeout : float or None, default=None
        Seconds after which the search ends: no other fold begins, and trainings stop at the end of
        their epoch. What has begun does not count. Fitting the best comes after.
    cv : int, splitter, iterable or None, default=5
        As in scikit-learn.
    scoring : str, callable, list, tuple, dict or None, default=None
        As in scikit-learn. With several metrics, the one that ``refit`` names is searched for.
    n_jobs : int or None, default=None
        Folds that are fitted at once, by joblib: also on the workers of
        ``joblib.parallel_config("dask")``.
    batch_size : int, default=1
        Trials that are asked for at once. More of them keep a larger ``n_jobs`` busy, and know less
        of one another. The results depend on this, but not on ``n_jobs``.
    sampler : optuna.samplers.BaseSampler or None, default=None
        None is a Gaussian process up to 30 trials, and TPE beyond, after the settings to start
        from: the estimator as it stands, where the space has its values, and the defaults of each
        strategy that the space names. One of your own is used as it is; where
        there is a storage it is reseeded at random, since processes that share a study would else
        ask for the same.
    pruner : optuna.pruners.BasePruner or None, default=None
        Ends trials early. It is asked after folds (the first, the third, the seventh...), and
        between the epochs of an estimator of this package that trains its encoder, alone or at the
        end of a pipeline; each fold has ten steps, tenths of its training. The score so far is the
        mean over folds. None is a `optuna.pruners.MedianPruner` that waits for five trials and for
        half a fold; `optuna.pruners.NopPruner` never prunes.
    storage : str, path-like, optuna.storages.BaseStorage or None, default=None
        Where the study is kept: in memory, in an SQLite file (a path), or in any database by its
        URL, such as ``postgresql://user@host/name``. The same call goes on where an earlier one
        ended, was interrupted or was killed: what was finished is kept, and the trial that was
        running is taken up again, once. Several processes that run the same script share the
        trials. Data, folds, scoring and whatever of the estimator is not searched have to be the
        same. A password belongs into the database's own file, such as ``.pgpass``, since the repr
        of a search shows the URL.
    study_name : str or None, default=None
        In the storage; None is ``"search"``.
    refit : bool, str or callable, default=True
        As in scikit-learn; with several metrics the name of the one that is searched for.
    random_state : int, RandomState instance or None, default=None
        Seeds the sampler that is made here. An int gives the same trials in every call, also in
        one that was killed and goes on.
    verbose : int, default=0
        As in scikit-learn.
    pre_dispatch : int or str, default="2*n_jobs"
        As in scikit-learn.
    error_score : "raise" or float, default=np.nan
        As in scikit-learn. A trial whose score is not finite is a failed one: it is not fitted on
        further folds, and the search goes on.
    return_train_score : bool, default=False
        As in scikit-learn.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As in `sklearn.model_selection.GridSearchCV`, of all trials of the study. ``cv_results_``
        has two more columns: ``trial_number``, and ``trial_state``: "complete", "pruned" or "fail".
        A parameter that was not asked for in a trial is masked; a fold that was not fitted is nan.
        A callable ``refit`` is given the complete trials.
    study_ : optuna.study.Study
        All trials, with the scores and seconds of their folds in ``user_attrs``; a failed one has
        its reason in ``user_attrs["error"]``.
    sampler_ : optuna.samplers.BaseSampler
        What chose them; for each trial a new one of this kind is made.
    pruner_ : optuna.pruners.BasePruner
        What ended some early.
    search_space_ : dict of str to optuna.distributions.BaseDistribution
        What was searched.

    Raises
    ------
    ValueError
        If the space is empty or does not fit the estimator, or the study is about something else,
        before anything is fitted; or if every trial failed, with the first one's reason, or none
        ended in time. (A TypeError if the first one's is.)
    ConnectionError
        If the storage cannot be reached.

    Notes
    -----
    Features of the inputs are shared by all fits of a process, in memory, unless the estimator has
    a ``cache`` of its own: an encoder that does not train reads each text once, whatever the
    number of trials. So are the activations below the lowest block that trains.

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
        **BaseSearchCV._parameter_constraints,
        "search_space": "no_validation",  # its own errors say more
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "sampler": "no_validation",
        "pruner": "no_validation",
        "storage": "no_validation",
        "study_name": [str, None],
        "random_state": ["random_state"],
    }

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
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.search_space = search_space
        self.n_trials = n_trials
        self.timeout = timeout
        self.batch_size = batch_size
        self.sampler = sampler
        self.pruner = pruner
        self.storage = storage
        self.study_name = study_name
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    @with_callbacks
    def fit(self, X: Any, y: Any = None, **params: Any) -> TransferSearchCV:
        """Search, and fit the best on all data.

        Parameters
        ----------
        X : sequence of n inputs
            What the estimator is fitted on.
        y : sequence of n targets or None, default=None
            Its targets.
        **params : dict
            As in `sklearn.model_selection.GridSearchCV.fit`, such as ``groups``.

        Returns
        -------
        self : TransferSearchCV
        """
        from optuna.logging import ERROR, WARNING

        from sktransfer.features.corpus import forgetting
        from sktransfer.tuning import _study
        from sktransfer.tuning._fold import Fold
        from sktransfer.tuning._identity import (
            digest_of_data,
            digest_of_folds,
            name_of_scoring,
            settings_of_estimator,
        )
        from sktransfer.tuning._loop import Loop
        from sktransfer.tuning._quiet import quiet
        from sktransfer.tuning._workers import Task

        end = None if self.timeout is None else time.time() + self.timeout
        light = self._light()
        scorer, metric = light._get_scorers()
        self.multimetric_ = isinstance(scorer, _MultimetricScorer)
        if self.multimetric_ and not isinstance(self.refit, str):
            raise ValueError(
                "With several metrics refit has to be the name of the one that is searched for: "
                f"one of {sorted(scorer._scorers)}, got refit={self.refit!r}."
            )
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        weights = params.get("sample_weight")
        told = {
            "X": X,
            "y": y,
            "metadata": None if weights is None else {"sample_weight": weights},
        }
        root = self._init_callback_context(
            max_subtasks=1 + (self.refit is not False)
        ).call_on_fit_task_begin(estimator=self, **told)
        self.search_space_ = checked_space(self.estimator, self.search_space)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        split = cv.split(X, y, **routed.splitter.split)
        folds = [Fold(i, *map(np.asarray, rows)) for i, rows in enumerate(split)]
        if not folds:
            raise ValueError("No fits were performed: the cv iterator gave no folds.")
        self.n_splits_ = len(folds)
        task = Task(
            estimator=light.estimator,
            X=X,
            y=y,
            folds=folds,
            scorer=scorer,
            metric=self.refit if isinstance(self.refit, str) else None,
            error_score=self.error_score,
            settings={
                "fit_params": routed.estimator.fit,
                "score_params": routed.scorer.score,
                "return_train_score": self.return_train_score,
                "return_times": True,
                "verbose": self.verbose,
                "caller": light,
            },
        )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        # Nothing is printed of a study that is ours, nor of how our sampler goes about it.
        with quiet(ERROR if self.sampler is None else WARNING), forgetting():
            self.sampler_, self.pruner_ = self._sampler(seed), self._pruner()
            self.study_ = _study.open_study(
                self.storage, self.study_name, self._placed(seed), self.pruner_
            )
            about = {
                "estimator": settings_of_estimator(self.estimator, self.search_space_),
                "scoring": name_of_scoring(self.scoring),
                "metric": task.metric,
                "data": digest_of_data(X, y, params),
                "folds": digest_of_folds(folds),
            }
            _study.claim(self.study_, self.search_space_, about)
            # Of a study that others have begun, or share, trials may be taken up again.
            n_tasks = None if _study.outlives(self.study_) else self.n_trials
            context = root.subcontext(
                task_name="search", max_subtasks=n_tasks, sequential_subtasks=True
            ).call_on_fit_task_begin(estimator=self)
            Loop(
                self.study_,
                self.search_space_,
                task,
                n_trials=self.n_trials,
                batch_size=self.batch_size,
                deadline=end,
                parallel={"n_jobs": self.n_jobs, "pre_dispatch": self.pre_dispatch},
                search=self,
                context=context,
            ).run()
            context.call_on_fit_task_end(estimator=self)
            self._keep(metric)
        self.scorer_ = getattr(scorer, "_scorers", scorer)
        if self.refit:
            self._refit(root, told, routed.estimator.fit)
        root.call_on_fit_task_end(estimator=self, **told)
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "study_" in state:
            from sktransfer.tuning._history import detached

            # Else a fitted classifier could only be loaded where its database is.
            state["study_"] = detached(state["study_"])
        return state

    def _keep(self, metric: Any) -> None:
        """Set the attributes that scikit-learn's searches have, from the study."""
        from sktransfer.tuning._history import settings_of
        from sktransfer.tuning._results import (
            complete,
            has_failed,
            more_of,
            out_of,
            reason_of,
        )

        settings = settings_of(self.study_.get_trials(deepcopy=False))
        ended = [trial for trial in settings if trial.state.is_finished()]
        done = complete(ended)
        failed = [trial for trial in ended if has_failed(trial)]
        if not len(done):
            if failed:
                what = "Every trial failed" if len(failed) == len(ended) else "None ended well"
                reason = reason_of(failed[0])
                why = f"{what}, the first with {failed[0].params}: {reason}"
                if reason.startswith("TypeError"):
                    raise TypeError(why)
            elif self.timeout is None:
                why = "Every trial was pruned: pass a pruner that waits longer."
            else:
                why = f"No trial ended within timeout={self.timeout}: allow more, or fewer folds."
            raise ValueError(why)
        if failed:
            warn_user(
                f"{len(failed)} of {len(ended)} trials failed, the first with "
                f"{failed[0].params}: {reason_of(failed[0])}",
                FitFailedWarning,
            )
        error_score = np.nan if self.error_score == "raise" else self.error_score
        out = out_of(ended, self.n_splits_, self.return_train_score, error_score)
        # What a function of the user's gives is known only by now.
        self.multimetric_ |= isinstance(out[0]["test_scores"], dict)
        if self.multimetric_ and callable(self.scoring):
            self._check_refit_for_multimetric(out[0]["test_scores"])
            metric = self.refit
        with warnings.catch_warnings():
            # Those of trials that were pruned, which is no accident.
            warnings.filterwarnings("ignore", "One or more of the t", UserWarning)
            params = [dict(trial.params) for trial in ended]
            self.cv_results_ = self._format_results(params, self.n_splits_, out, more_of(ended))
        if self.refit or not self.multimetric_:
            results = self.cv_results_
            spared = callable(self.refit) and len(done) > 0
            if spared:
                # A function of the user's need not know of trials that have no mean.
                results = {k: v[done] for k, v in results.items() if k != "params"}
                results["params"] = [params[i] for i in done]
            best = self._select_best_index(self.refit, metric, results)
            self.best_index_ = done[best] if spared else best
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{metric}"][best]
            self.best_params_ = params[self.best_index_]

    def _refit(self, root: Any, told: dict[str, Any], fit_params: dict[str, Any]) -> None:
        """Fit the best on all data."""
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        self.best_estimator_ = best
        context = root.subcontext(task_name="refit-with-best-params")
        data = [told["X"]] if told["y"] is None else [told["X"], told["y"]]
        with context.propagate_callback_context(best):
            context.call_on_fit_task_begin(estimator=self, **told)
            start = time.time()
            best.fit(*data, **fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_
        context.call_on_fit_task_end(estimator=self, **told)

    def _light(self) -> TransferSearchCV:
        """Give a copy for the workers, without what is fitted, connected or large."""
        changed = {"storage": None, "sampler": None, "pruner": None}
        changed["estimator"] = clone(self.estimator)
        return type(self)(**{**self.get_params(deep=False), **changed})

    def _placed(self, seed: int) -> Any:
        """Give the study's sampler."""
        from sktransfer.tuning._sampling import PlacedSampler, make_sampler

        if self.sampler is not None:
            if self.storage is not None:
                # Processes that share a study would ask for the same.
                self.sampler_.reseed_rng()
            return self.sampler_
        return PlacedSampler(
            partial(make_sampler, self.n_trials),
            seed,
            self.batch_size,
            self.search_space_,
            starting_points(self.estimator, self.search_space_),
            partial(ask, estimator=clone(self.estimator), space=self.search_space_),
        )

    def _sampler(self, seed: int = 0) -> Any:
        """Give the sampler that is asked, or the pattern of those that are."""
        from optuna.samplers import BaseSampler

        from sktransfer.tuning._sampling import make_sampler

        if isinstance(self.sampler, BaseSampler):
            return self.sampler
        if self.sampler is not None:
            raise TypeError(
                f"sampler has to be a sampler of optuna.samplers, got {self.sampler!r}; an example "
                "is sampler=optuna.samplers.TPESampler(seed=0)."
            )
        return make_sampler(self.n_trials, seed)

    def _pruner(self) -> Any:
        from optuna.pruners import BasePruner, MedianPruner

        if isinstance(self.pruner, BasePruner):
            return self.pruner
        if self.pruner is not None:
            raise TypeError(
                f"pruner has to be a pruner of optuna.pruners, got {self.pruner!r}; an example is "
                "pruner=optuna.pruners.MedianPruner()."
            )
        return MedianPruner(n_startup_trials=_N_UNPRUNED, n_warmup_steps=_N_WARMUP_STEPS)
