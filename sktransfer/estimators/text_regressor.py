"""The text regressor."""

from __future__ import annotations

from sktransfer.contracts.parameters import with_parameters
from sktransfer.estimators._regressor import TransferRegressor
from sktransfer.estimators.text_encoder import TransferTextEncoder
from sktransfer.modalities.text.options import TextOptions

__all__ = ["TransferTextRegressor"]


@with_parameters
class TransferTextRegressor(TextOptions, TransferRegressor):
    """Predict numbers from texts with a pretrained encoder.

    The target is standardised inside, and predictions are in the caller's units. With
    ``freeze="frozen"`` and the squared error it is the ridge regression on the features.

    Parameters
    ----------
    backbone : str, path-like, Backbone or FrozenEstimator, default="minilm"
        The pretrained encoder: a registered name (``sktransfer plugins`` lists them), a hub id
        ``"owner/name"``, a folder as a ``pathlib.Path``, a parameter object, or the ``encoder_`` of
        another fitted estimator.
    freeze : str or FreezeStrategy, default="auto"
        Which blocks of the encoder train when. ``"frozen"`` trains none of them, and fits the head
        alone to convergence; ``"head_by_epochs"`` trains the head alone by epochs. ``"full"``,
        ``"top_layers"``, ``"bottom_layers"``, ``"lp_ft"``, ``"gradual"``, ``"chain_thaw"`` and
        ``"bias_only"`` train more. ``"auto"`` picks one by the number of labelled texts per class,
        label or target, and says why in ``decision_``. Of a pretrained backbone it picks
        ``"frozen"`` below the number that the backbone has as ``frozen_below``, and ``"lp_ft"`` for
        more; of one with random weights, ``"full"``. After a source it is ``"frozen"`` below 32 if
        the labels are the same, and never if they are others.
    head : str or Head, default="linear"
        What turns features into outputs: ``"linear"``, ``"mlp"`` or a parameter object.
    loss : {"squared_error", "huber", "quantile"}, default="squared_error"
        What is minimised. ``"squared_error"`` predicts the mean, ``"huber"`` a mean on which
        outliers pull less, and ``"quantile"`` a quantile.
    delta : float, default=1.35
        The error from which on the Huber loss grows linearly, in standard deviations of the target.
    quantile : float, default=0.5
        The quantile that ``loss="quantile"`` predicts; 0.5 is the median.
    source : FrozenEstimator, path-like or None, default=None
        A fitted estimator in `sklearn.frozen.FrozenEstimator`, or the folder that `save` wrote.
        `fit` starts from its encoder, and from its head where both have the same labels or as many
        numbers to predict. Unlike an earlier `fit` it survives `clone`, so it works in every search
        and cross-validation.
    alignment : str, Alignment or None, default=None
        A loss that pulls source and target rows together, by name or as a parameter object. It
        needs ``sample_domain`` in `fit`, and an encoder or head that is trained by epochs.
    regulariser : str, Regulariser or None, default=None
        A loss that keeps the training from fitting its rows too closely, by name or as a parameter
        object. It needs an encoder or head that is trained by epochs.
    max_epochs : int or "auto", default="auto"
        Epochs of each training. ``"auto"`` is 10 for up to 32 rows, 5 for 128 to 760, and 3 for
        many; where the backbone has random weights, 10 for up to 500 rows and 3 for many. It is
        never less than the strategy needs to unfreeze everything.
    batch_size : int, default=16
        Number of rows in a training batch.
    lr : float or "auto", default="auto"
        Peak learning rate of the encoder; that of the head is a multiple of it. ``"auto"`` is what
        suits the backbone and the strategy.
    weight_decay : float, default=0.01
        Weight decay of AdamW. It applies to weights, and not to biases and norms.
    warmup : float, default=0.1
        Fraction of the steps during which the learning rate rises; after that it falls to zero.
    average : {"ema", "soup"} or None, default=None
        Whether to keep a mean of the weights along the training instead of the last ones: ``"ema"``
        is an exponential moving average over the steps, ``"soup"`` the mean over the epochs of the
        second half. Without effect where only the head is fitted.
    early_stopping : bool, default=False
        Whether to hold rows out, to score them after each epoch, to stop when the score no longer
        improves, and to restore the best weights. Without effect where only the head is fitted.
    validation_fraction : float, splitter or array-like, default=0.1
        The rows that are held out where `early_stopping` or another parameter needs rows that are
        not trained on: a fraction; a splitter of scikit-learn, whose first split is taken; or the
        positions of the rows in X, or a mask of them. `fit` also takes further rows as ``X_val``
        and ``y_val``.
    n_iter_no_change : int, default=3
        Number of epochs without a better score after which `early_stopping` ends the training.
    scoring : str, callable or None, default=None
        What `early_stopping` scores by, as scikit-learn names it. None is R2. A callable, as
        `sklearn.metrics.make_scorer` makes it, is given targets and predictions, and no texts.
    pairs : bool, default=False
        Whether each input is a pair of texts, such as a question and an answer: a row of a frame or
        an array of two columns, or a tuple.
    missing : {"raise", "empty"}, default="raise"
        Whether a missing value, such as None or NaN, is an error or an empty text.
    max_length : int or None, default=None
        Length of the longest text that is read whole, in tokens; see `long_text` for longer ones.
        None leaves it to the backbone.
    long_text : {"truncate", "head_tail", "window_mean", "window_max"}, default="truncate"
        What is read of a longer text: its beginning; its beginning and end; or all of it, in
        windows of `max_length` tokens whose features are averaged, or maximised.
    stride : int or None, default=None
        Number of tokens from the beginning of a window to that of the next. With None, windows do
        not overlap.
    precision : {"auto", "bf16", "fp32"}, default="auto"
        The number format that the encoder runs in. ``"auto"`` is bf16 where the hardware has it,
        and fp32 elsewhere. Weights are always kept and updated in fp32. In bf16, results may differ
        in the second digit from those in fp32, which an ONNX file gives, and in the third one with
        the texts in the same batch.
    compile : bool, default=False
        Whether torch compiles the encoder for computing features, which takes some seconds once in
        a process. Training is not compiled.
    device : str, default="auto"
        The device, as torch names it. ``"auto"`` is the first CUDA device, or the CPU.
    cache : "memory", path-like or None, default=None
        Where the features of texts are kept between fits, folds and searches: in this process, in a
        folder that processes share and restarts keep (extra ``cache``), or nowhere. Used where the
        encoder does not train, and in prediction.
    random_state : int, RandomState instance or None, default=None
        Seeds everything random. The same int gives the same bits at the same number of threads.
    verbose : int, default=0
        With 1, a line shows how far a training or a prediction is and how long it still takes; with
        2, a line is printed for each epoch. With either, Ctrl-C raises KeyboardInterrupt and leaves
        the estimator fitted by the epochs that were done.
    callbacks : list, tuple or None, default=None
        Callbacks of skorch, which are copied and never changed, or functions that return one, for
        those that cannot be copied: ``[lambda: TensorBoard(SummaryWriter("runs"))]``. With a
        ``LRScheduler`` among them the rate begins at ``lr`` and follows its policy, in place of
        ``warmup`` and the decay. One that sets ``net.stop_requested = True`` ends the training
        after the epoch, with a fitted estimator.

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation of the targets of the first stage; later stages keep them. The
        deviation of a constant target is 0, and its mean is predicted.
    n_targets_ : int or None
        Columns of y; None where it had one dimension.
    encoder_ : FrozenEstimator
        The tuned encoder as a fitted `TransferTextEncoder`.
    net_, backbone_, freeze_, decision_, history_, n_iter_, stages_, n_parameters_ :
        As in `TransferTextClassifier`; so are ``pairs_`` and ``truncation_report_``.

    See Also
    --------
    sklearn.linear_model.Ridge : What the head is when nothing else trains, with ``alpha=1 / C``.

    Notes
    -----
    Ratings in a few steps, such as one to five stars, are ordinal: regression uses their order,
    where classification ignores it. Round the predictions where whole steps are wanted.

    Examples
    --------
    >>> from sktransfer import TransferTextRegressor
    >>> texts = ["a lovely film", "great fun", "a dull film", "boring"] * 5
    >>> stars = [5.0, 4.0, 2.0, 1.0] * 5
    >>> reg = TransferTextRegressor("hashing", freeze="frozen", random_state=0).fit(texts, stars)
    >>> reg.predict(["lovely fun"])[0] > reg.predict(["dull, boring"])[0]
    np.True_
    """

    encoder_class = TransferTextEncoder
