"""Optuna inside scikit-learn's search."""

from __future__ import annotations

import time
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

__all__ = ["TransferSearchCV"]

# Trials up to which a Gaussian process is worth its seconds.
_FEW_TRIALS = 30


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
        How many settings are tried.
    timeout : float or None, default=None
        Seconds after which no other trial begins.
    cv : int, splitter, iterable or None, default=5
        As in scikit-learn.
    scoring : str, callable, list, tuple, dict or None, default=None
        As in scikit-learn. With several metrics, the one that ``refit`` names is searched for.
    n_jobs : int or None, default=None
        Folds that are fitted at once.
    sampler : optuna.samplers.BaseSampler or None, default=None
        None is a Gaussian process up to 30 trials, and TPE beyond. Parameters that only some trials
        are asked for are chosen by TPE in either case.
    refit : bool, str or callable, default=True
        As in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Seeds the sampler that is made here. An int gives the same trials in every call.
    verbose : int, default=0
        As in scikit-learn.
    pre_dispatch : int or str, default="2*n_jobs"
        As in scikit-learn.
    error_score : "raise" or float, default=np.nan
        As in scikit-learn. A trial whose score is not finite is a failed one, and the search goes
        on.
    return_train_score : bool, default=False
        As in scikit-learn.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As in `sklearn.model_selection.GridSearchCV`. A parameter that was not asked for in a trial
        is masked in ``cv_results_``. Trials of which every fold failed are in ``study_`` alone.
    study_ : optuna.study.Study
        All trials; a failed one has its reason in ``user_attrs["error"]``.
    sampler_ : optuna.samplers.BaseSampler
        What chose them.
    search_space_ : dict of str to optuna.distributions.BaseDistribution
        What was searched.

    Raises
    ------
    ValueError
        If the space is empty or does not fit the estimator, before anything is fitted; or if every
        trial failed, with the first one's reason.

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
        "sampler": "no_validation",
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
        sampler: Any = None,
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
        self.sampler = sampler
        self.random_state = random_state

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        """Ask, evaluate and tell, trial by trial."""
        import optuna
        from optuna.trial import TrialState

        from sktransfer.tuning._trial import ask, checked_space

        self.search_space_ = checked_space(self.estimator, self.search_space)
        self.sampler_ = self._sampler()
        # Nothing is printed of a study that is ours, nor of how our sampler goes about it. The
        # level is the user's, and put back.
        level = optuna.logging.get_verbosity()
        quiet = optuna.logging.ERROR if self.sampler is None else optuna.logging.WARNING
        optuna.logging.set_verbosity(max(level, quiet))
        search = callback_ctx.subcontext(
            task_name="search", max_subtasks=self.n_trials, sequential_subtasks=True
        ).call_on_fit_task_begin(estimator=self)
        try:
            self.study_ = optuna.create_study(sampler=self.sampler_, direction="maximize")
            end = None if self.timeout is None else time.monotonic() + self.timeout
            n_evaluated, first_error = 0, None
            for _ in range(self.n_trials):
                trial = self.study_.ask()
                params = ask(trial, self.estimator, self.search_space_)
                context = search.subcontext(
                    task_name="trial", max_subtasks=self.n_splits_, sequential_subtasks=False
                ).call_on_fit_task_begin(estimator=self)
                try:
                    results = evaluate_candidates([params], callback_ctx=context)
                except ValueError as error:
                    # scikit-learn stops where all fits of a call failed: here, of one trial.
                    if self.error_score == "raise" or "fits failed" not in str(error):
                        raise
                    first_error = first_error or (params, error)
                    trial.set_user_attr("error", str(error))
                    self.study_.tell(trial, state=TrialState.FAIL)
                else:
                    n_evaluated += 1
                    self._tell(trial, results)
                context.call_on_fit_task_end(estimator=self)
                if end is not None and time.monotonic() >= end:
                    break
            if n_evaluated == 0:
                assert first_error is not None
                params, cause = first_error
                raise ValueError(f"Every trial failed, the first with {params}: {cause}") from cause
        finally:
            optuna.logging.set_verbosity(level)
        search.call_on_fit_task_end(estimator=self)

    def _tell(self, trial: Any, results: Mapping[str, Any]) -> None:
        """Give a trial its score; one that is not finite is a failure."""
        from optuna.trial import TrialState

        metric = self.refit if isinstance(self.refit, str) else "score"
        if f"mean_test_{metric}" not in results:
            raise ValueError(
                "With several metrics refit has to name the one that is searched for, got "
                f"refit={self.refit!r}."
            )
        score = float(results[f"mean_test_{metric}"][-1])
        if np.isfinite(score):
            self.study_.tell(trial, score)
        else:
            trial.set_user_attr("error", f"the score is {score}")
            self.study_.tell(trial, state=TrialState.FAIL)

    def _sampler(self) -> Any:
        from optuna.samplers import BaseSampler, GPSampler, TPESampler

        if isinstance(self.sampler, BaseSampler):
            return self.sampler
        if self.sampler is not None:
            raise TypeError(
                f"sampler has to be a sampler of optuna.samplers, got {self.sampler!r}."
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if self.n_trials <= _FEW_TRIALS:
            independent = TPESampler(seed=seed)
            return GPSampler(seed=seed, independent_sampler=independent, n_startup_trials=8)
        return TPESampler(seed=seed)
