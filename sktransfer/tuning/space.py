"""The space that an estimator or a pipeline and its plugins declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def search_space(estimator: Any) -> dict[str, BaseDistribution]:
    """Assemble what is worth tuning of an estimator and of all that it is made of.

    Parameters
    ----------
    estimator : estimator
        Also a `sklearn.pipeline.Pipeline`, a `sklearn.compose.ColumnTransformer` or another
        estimator that holds some with a method ``search_space``.

    Returns
    -------
    space : dict of str to optuna.distributions.BaseDistribution
        Keys are parameters of ``estimator``, as ``set_params`` takes them; sorted.

    Raises
    ------
    TypeError
        If ``estimator`` has no parameters.

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> from sktransfer import TransferTextClassifier
    >>> from sktransfer.tuning import search_space
    >>> pipe = Pipeline([("clf", TransferTextClassifier("hashing", freeze="frozen"))])
    >>> search_space(pipe)["clf__head__C"]
    FloatDistribution(high=100.0, log=True, low=0.01, step=None)
    """
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        raise TypeError(f"An estimator is expected, got {estimator!r}.")
    space: dict[str, BaseDistribution] = {}
    owners: list[str] = []
    parts = {"": estimator, **estimator.get_params(deep=True)}
    for path in sorted(parts, key=lambda path: (path.count("__"), path)):
        part = parts[path]
        if not hasattr(part, "search_space") or isinstance(part, type):
            continue
        # What stands inside of one that has spoken has been spoken for.
        if any(owner == "" or path.startswith(f"{owner}__") for owner in owners):
            continue
        owners.append(path)
        prefix = f"{path}__" if path else ""
        space |= {f"{prefix}{key}": value for key, value in part.search_space().items()}
    return dict(sorted(space.items()))
