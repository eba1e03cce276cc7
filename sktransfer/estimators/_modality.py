"""What an estimator is for, and whether a backbone reads that."""

from __future__ import annotations

from typing import Any

from sktransfer.plugins import Backbone
from sktransfer.plugins.catalogue import READS

# By modality, a backbone that a user may take.
_DEFAULTS = {"text": "minilm", "image": "efficientnet-lite0"}


def check_modality(estimator: Any, backbone: Backbone) -> None:
    """Check that a backbone reads what an estimator is for.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Was told to use it.
    backbone : Backbone
        Resolved.

    Raises
    ------
    ValueError
        If the backbone reads something else.
    """
    modality = estimator.modality
    if backbone.modality != modality:
        given = estimator.backbone if isinstance(estimator.backbone, str) else backbone
        raise ValueError(
            f"{type(estimator).__name__} is for {READS[modality]}, but backbone={given!r} reads "
            f"{READS.get(backbone.modality, backbone.modality)}, not {READS[modality]}: choose "
            f"another one, such as {_DEFAULTS[modality]!r}."
        )


def check_source(estimator: Any, source: Any) -> None:
    """Check that what a training starts from reads what an estimator is for.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Was told to start from it.
    source : estimator of sktransfer
        Fitted.

    Raises
    ------
    ValueError
        If the source reads something else.
    """
    wanted = READS[estimator.modality]
    if source.modality != estimator.modality:
        raise ValueError(
            f"{type(estimator).__name__} is for {wanted}, but source is a "
            f"{type(source).__name__}, which reads {READS[source.modality]}: start from a model "
            f"of {wanted}, or leave source out."
        )


def hand_on(estimator: Any, backbone: Backbone, asked: dict[str, Any]) -> None:
    """Set parameters of a backbone that were given to the estimator.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Has parameters of these names.
    backbone : Backbone
        A copy of one's own, which is changed.
    asked : dict of str to object
        None where nothing was given.

    Raises
    ------
    ValueError
        If the backbone has no such parameter.
    """
    own = backbone.get_params(deep=False)
    for name, value in asked.items():
        if value is None:
            continue
        if name not in own:
            raise ValueError(
                f"{name}={value!r} is given, but {type(backbone).__name__} has no such parameter."
            )
        backbone.set_params(**{name: value})
