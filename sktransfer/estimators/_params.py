"""The parameters of estimators, each declared once: default, constraint, documentation.

The section "Parameters" of the docstrings of public estimators is written from here, by
``python docs/generate_docstrings.py``.
"""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.frozen import FrozenEstimator

from sktransfer._compat.sklearn import HasMethods, Interval, StrOptions
from sktransfer.contracts import Alignment, Backbone, FreezeStrategy, Head, Regulariser
from sktransfer.contracts.parameters import param, with_parameters
from sktransfer.estimators._scoring import ScorerNames

_COUNT = Interval(Integral, 1, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_SHARE = Interval(Real, 0, 1, closed="neither")
_SHARE_OR_ZERO = Interval(Real, 0, 1, closed="left")


@with_parameters
class ModelOptions:
    """What is trained: an encoder, and a head on its features."""

    backbone: Any = param(
        kw_only=False,
        type="str, path-like, Backbone or FrozenEstimator",
        constraint=[str, os.PathLike, Backbone, FrozenEstimator],
        doc="The pretrained encoder: a registered name (``sktransfer plugins`` lists them), a hub "
        'id ``"owner/name"``, a folder as a ``pathlib.Path``, a parameter object, or the '
        "``encoder_`` of another fitted estimator.",
    )
    freeze: Any = param(
        default="auto",
        type="str or FreezeStrategy",
        constraint=[str, FreezeStrategy],
        doc='Which blocks of the encoder train when. ``"frozen"`` trains none of them, and fits '
        'the head alone to convergence; ``"head_by_epochs"`` trains the head alone by epochs. '
        '``"full"``, ``"top_layers"``, ``"bottom_layers"``, ``"lp_ft"``, ``"gradual"``, '
        '``"chain_thaw"`` and ``"bias_only"`` train more. ``"auto"`` picks one by the number of '
        "labelled $inputs per class, label or target, and says why in ``decision_``. Of a "
        'pretrained backbone it picks ``"frozen"`` below the number that the backbone has as '
        '``frozen_below``, and ``"lp_ft"`` for more; of one with random weights, ``"full"``. After '
        'a source it is ``"frozen"`` below 32 if the labels are the same, and never if they are '
        "others.",
    )
    head: Any = param(
        default="linear",
        type="str or Head",
        constraint=[str, Head],
        doc='What turns features into outputs: ``"linear"``, ``"mlp"`` or a parameter object.',
    )
    source: Any = param(
        default=None,
        type="FrozenEstimator, path-like or None",
        constraint="no_validation",  # its own error says how to wrap an estimator
        doc="A fitted estimator in `sklearn.frozen.FrozenEstimator`, or the folder that `save` "
        "wrote. `fit` starts from its encoder, and from its head where both have the same labels "
        "or as many numbers to predict. Unlike an earlier `fit` it survives `clone`, so it works "
        "in every search and cross-validation.",
    )
    alignment: Any = param(
        default=None,
        type="str, Alignment or None",
        constraint=[str, Alignment, None],
        doc="A loss that pulls source and target rows together, by name or as a parameter object. "
        "It needs ``sample_domain`` in `fit`, and an encoder or head that is trained by epochs.",
    )
    regulariser: Any = param(
        default=None,
        type="str, Regulariser or None",
        constraint=[str, Regulariser, None],
        doc="A loss that keeps the training from fitting its rows too closely, by name or as a "
        "parameter object. It needs an encoder or head that is trained by epochs.",
    )


@with_parameters
class FineTuning:
    """How the encoder and the head are trained, and when the training stops."""

    max_epochs: int | str = param(
        default="auto",
        type='int or "auto"',
        constraint=[_COUNT, StrOptions({"auto"})],
        doc='Epochs of each training. ``"auto"`` is 10 for up to 32 rows, 5 for 128 to 760, and 3 '
        "for many; where the backbone has random weights, 10 for up to 500 rows and 3 for many. It "
        "is never less than the strategy needs to unfreeze everything.",
    )
    batch_size: int = param(
        default=16, type="int", constraint=[_COUNT], doc="Number of rows in a training batch."
    )
    lr: float | str = param(
        default="auto",
        type='float or "auto"',
        constraint=[_POSITIVE, StrOptions({"auto"})],
        doc="Peak learning rate of the encoder; that of the head is a multiple of it. "
        '``"auto"`` is what suits the backbone and the strategy.',
    )
    weight_decay: float = param(
        default=0.01,
        type="float",
        constraint=[Interval(Real, 0, None, closed="left")],
        doc="Weight decay of AdamW. It applies to weights, and not to biases and norms.",
    )
    warmup: float = param(
        default=0.1,
        type="float",
        constraint=[_SHARE_OR_ZERO],
        doc="Fraction of the steps during which the learning rate rises; after that it falls to "
        "zero.",
    )
    average: str | None = param(
        default=None,
        type='{"ema", "soup"} or None',
        constraint=[StrOptions({"ema", "soup"}), None],
        doc="Whether to keep a mean of the weights along the training instead of the last ones: "
        '``"ema"`` is an exponential moving average over the steps, ``"soup"`` the mean over the '
        "epochs of the second half. Without effect where only the head is fitted.",
    )
    early_stopping: bool = param(
        default=False,
        type="bool",
        constraint=["boolean"],
        doc="Whether to hold rows out, to score them after each epoch, to stop when the score no "
        "longer improves, and to restore the best weights. Without effect where only the head is "
        "fitted.",
    )
    validation_fraction: Any = param(
        default=0.1,
        type="float, splitter or array-like",
        constraint=[_SHARE, HasMethods("split"), "array-like"],
        doc="The rows that are held out where `early_stopping` or another parameter needs rows "
        "that are not trained on: a fraction; a splitter of scikit-learn, whose first split is "
        "taken; or the positions of the rows in X, or a mask of them. `fit` also takes further "
        "rows as ``X_val`` and ``y_val``.",
    )
    n_iter_no_change: int = param(
        default=3,
        type="int",
        constraint=[_COUNT],
        doc="Number of epochs without a better score after which `early_stopping` ends the "
        "training.",
    )
    scoring: Any = param(
        default=None,
        type="str, callable or None",
        constraint=[ScorerNames(), callable, None],
        doc="What `early_stopping` scores by, as scikit-learn names it. None is $score. A "
        "callable, as `sklearn.metrics.make_scorer` makes it, is given targets and predictions, "
        "and no $inputs.",
    )


@with_parameters
class Runtime:
    """The device, the precision, the random state, and how much is printed."""

    precision: str = param(
        default="auto",
        type='{"auto", "bf16", "fp32"}',
        constraint=[StrOptions({"auto", "bf16", "fp32"})],
        doc='The number format that the encoder runs in. ``"auto"`` is bf16 where the hardware has '
        "it, and fp32 elsewhere. Weights are always kept and updated in fp32. In bf16, results "
        "may differ in the second digit from those in fp32, which an ONNX file gives, and in the "
        "third one with the $inputs in the same batch.",
    )
    compile: bool = param(
        default=False,
        type="bool",
        constraint=["boolean"],
        doc="Whether torch compiles the encoder for computing features, which takes some seconds "
        "once in a process. Training is not compiled.",
    )
    device: str = param(
        default="auto",
        type="str",
        constraint=[str],
        doc='The device, as torch names it. ``"auto"`` is the first CUDA device, or the CPU.',
    )
    cache: Any = param(
        default=None,
        type='"memory", path-like or None',
        constraint=[str, os.PathLike, HasMethods(["get", "put"]), None],
        doc="Where the features of $inputs are kept between fits, folds and searches: in this "
        "process, in a folder that processes share and restarts keep (extra ``cache``), or "
        "nowhere. Used where the encoder does not train, and in prediction.",
    )
    random_state: Any = param(
        default=None,
        type="int, RandomState instance or None",
        constraint=["random_state"],
        doc="Seeds everything random. The same int gives the same bits at the same number of "
        "threads.",
    )
    verbose: int = param(
        default=0,
        type="int",
        constraint=["verbose"],
        doc="With 1, a line shows how far a training or a prediction is and how long it still "
        "takes; with 2, a line is printed for each epoch. With either, Ctrl-C raises "
        "KeyboardInterrupt and leaves the estimator fitted by the epochs that were done.",
    )
    callbacks: Any = param(
        default=None,
        type="list, tuple or None",
        constraint=[list, tuple, None],
        doc="Callbacks of skorch, which are copied and never changed, or functions that return "
        'one, for those that cannot be copied: ``[lambda: TensorBoard(SummaryWriter("runs"))]``. '
        "With a ``LRScheduler`` among them the rate begins at ``lr`` and follows its policy, in "
        "place of ``warmup`` and the decay. One that sets ``net.stop_requested = True`` ends the "
        "training after the epoch, with a fitted estimator.",
    )


@with_parameters
class ClassifierOptions:
    """The weights of labels, and how outputs become probabilities and labels."""

    _after: ClassVar[str] = "average"
    _doc_words: ClassVar[dict[str, str]] = {"score": "the accuracy"}

    class_weight: Any = param(
        default=None,
        type='dict, "balanced", list of dict or None',
        constraint=[dict, list, StrOptions({"balanced"}), None],
        doc="Weights of the classes, as in scikit-learn. For an indicator matrix, a dict "
        "``{0: ..., 1: ...}`` for each label.",
    )
    label_smoothing: float = param(
        default=0.0,
        type="float",
        constraint=[_SHARE_OR_ZERO],
        doc="Fraction of each row's label that is spread over all labels.",
    )
    calibrate: str | None = param(
        default=None,
        type='{"temperature"} or None',
        constraint=[StrOptions({"temperature"}), None],
        doc="Whether to scale the outputs by one number that makes the probabilities of rows right "
        "that were not trained on. Predicted labels stay the same where exactly one label is "
        "right. Where only the head is fitted, these are all rows, by heads of five folds that did "
        "not see them; otherwise rows are held out.",
    )
    threshold: float | str = param(
        default="auto",
        type='float, "auto" or "cv"',
        constraint=[_SHARE, StrOptions({"auto", "cv"})],
        doc="For indicator matrices: the probability from which on a label is predicted. "
        '``"auto"`` tunes it for F1 on rows that were not trained on, which are found as for '
        "``calibrate``: label by label, but drawn towards the threshold that is best for all "
        "labels together, by half for a label that ten of these rows have. "
        '``"cv"`` holds no row out where the encoder trains, too: it trains once more for each of '
        "five folds, which takes about five times as long.",
    )


@with_parameters
class RegressorOptions:
    """The loss of a regression."""

    _after: ClassVar[str] = "head"
    _doc_words: ClassVar[dict[str, str]] = {"score": "R2"}

    loss: str = param(
        default="squared_error",
        type='{"squared_error", "huber", "quantile"}',
        constraint=[StrOptions({"squared_error", "huber", "quantile"})],
        doc='What is minimised. ``"squared_error"`` predicts the mean, ``"huber"`` a mean on which '
        'outliers pull less, and ``"quantile"`` a quantile.',
    )
    delta: float = param(
        default=1.35,
        type="float",
        constraint=[_POSITIVE],
        doc="The error from which on the Huber loss grows linearly, in standard deviations of the "
        "target.",
    )
    quantile: float = param(
        default=0.5,
        type="float",
        constraint=[_SHARE],
        doc='The quantile that ``loss="quantile"`` predicts; 0.5 is the median.',
    )


@with_parameters
class EncoderOptions:
    """Whether and on what an encoder is tuned."""

    _after: ClassVar[str] = "freeze"
    _doc_words: ClassVar[dict[str, str]] = {"score": "the accuracy of labels, and R2 of numbers"}

    freeze: Any = param(
        default="frozen",
        doc="Which blocks of the encoder train when, on the targets that `fit` is given. "
        '``"frozen"`` trains none of them and needs no targets. ``"auto"``, ``"full"``, '
        '``"top_layers"``, ``"bottom_layers"``, ``"lp_ft"``, ``"gradual"``, ``"chain_thaw"`` and '
        '``"bias_only"`` are as in classifiers.',
    )
    task: str = param(
        default="auto",
        type='{"auto", "classification", "regression"}',
        constraint=[StrOptions({"auto", "classification", "regression"})],
        doc='What the targets are where the encoder is tuned. ``"auto"`` takes numbers with '
        "fractions for regression, and everything else for labels. The head that the tuning needs "
        "is not kept.",
    )
