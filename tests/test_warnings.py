"""What is said once, in a search and in a process, and filters of users, which come first."""

from __future__ import annotations

import warnings

import pytest

from sktransfer import TransferSearchCV, TransferTextClassifier, _warnings
from sktransfer._warnings import said_once, warn_user

LONG = ["a good film that goes on " * 40, "a bad film that goes on " * 40] * 6
LABELS = [1, 0] * 6


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(_warnings, "SAID", {})


def heard(action, *, numbers=(1, 2), model="m", search=None, message="{} tokens are cut off"):
    """Say something of two fits; give the numbers that were heard."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        for number in numbers:
            # Python forgets what it has said.
            with warnings.catch_warnings():
                warnings.simplefilter(action)
            if search is None:
                warn_user(message.format(number), about="tokens", model=model)
            else:
                with said_once(search):
                    warn_user(message.format(number), about="tokens", model=model)
    return [int(str(each.message).split()[0]) for each in caught]


def test_a_process_hears_of_a_model_once():
    assert heard("default") == [1]
    assert heard("default") == []
    assert heard("default", model="other") == [1]


def test_filters_that_ask_for_all_warnings_get_them():
    assert heard("always") == [1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(UserWarning, match="cut off"):
                warn_user("1 tokens are cut off", about="tokens", model="m")


def test_what_was_ignored_was_not_said():
    assert heard("ignore") == []
    assert heard("default") == [1]


@pytest.mark.parametrize("action", ["default", "always"])
def test_each_search_hears_of_a_subject_once(action):
    assert heard(action, search="a") == [1]
    assert heard(action, search="b", numbers=(3, 4)) == [3]
    with said_once("c"):
        # The folds of a search within it.
        assert heard(action, search="d") == [1]
        assert heard(action, search="e") == []


def test_filters_of_one_message_are_looked_at():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        warnings.filterwarnings("ignore", ".*tokens are cut off")
        warn_user("1 tokens are cut off", about="tokens", model="m")
        assert not caught
    assert heard("default") == [1]


def cut_off(action, function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        function()
    return sum("cut off" in str(each.message) for each in caught)


@pytest.fixture
def clf(tiny_model):
    return TransferTextClassifier(str(tiny_model), freeze="frozen", random_state=0)


def test_a_search_tells_of_texts_that_are_cut_off_once(clf):
    space = {"backbone__pooling": ["cls", "mean"], "head__C": [0.1, 1.0]}
    search = TransferSearchCV(clf, space, n_trials=3, cv=2, random_state=0)
    assert cut_off("always", lambda: search.fit(LONG, LABELS)) == 1
    assert cut_off("always", lambda: search.fit(LONG, LABELS)) == 1


def test_fits_of_one_model_tell_of_texts_that_are_cut_off_once(clf):
    assert cut_off("default", lambda: clf.fit(LONG, LABELS)) == 1
    assert cut_off("default", lambda: clf.fit(LONG[:-2], LABELS[:-2])) == 0
    clf.set_params(max_length=32)
    assert cut_off("default", lambda: clf.fit(LONG, LABELS)) == 1


def test_a_search_tells_that_it_is_slow_once(clf, monkeypatch):
    from sktransfer import SlowComputationWarning
    from sktransfer.features import pace

    monkeypatch.setattr(pace, "_LONG", 0.0)
    monkeypatch.setattr(pace, "_WATCHED", 0.0)
    clf.set_params(freeze="full", max_epochs=2, batch_size=1)
    search = TransferSearchCV(clf, {"lr": [1e-4, 1e-3]}, n_trials=2, cv=2, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(["good", "bad"] * 12, [1, 0] * 12)
    said = [str(w.message) for w in caught if w.category is SlowComputationWarning]
    assert sum(message.startswith("Training") for message in said) == 1
