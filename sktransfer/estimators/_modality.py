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
