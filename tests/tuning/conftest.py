"""Time that is over when the test says so."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState

from sktransfer.tuning import _fold, _loop


@pytest.fixture
def over_after(monkeypatch):
    """Let the time of a search be over after so many complete trials, perhaps within the next."""

    def limit(search, n_trials, within=False):
        over = []

        def is_over(deadline):
            states = [trial.state for trial in search.study_.get_trials(deepcopy=False)]
            begun = not within or TrialState.RUNNING in states
            if begun and states.count(TrialState.COMPLETE) >= n_trials:
                over.append(True)
            return bool(over)

        monkeypatch.setattr(_fold, "is_over", is_over)
        monkeypatch.setattr(_loop, "is_over", is_over)

    return limit
