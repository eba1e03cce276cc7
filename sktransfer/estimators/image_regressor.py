"""The image regressor."""

from __future__ import annotations

from sktransfer.contracts.parameters import with_parameters
from sktransfer.estimators._regressor import TransferRegressor
from sktransfer.estimators.image_encoder import TransferImageEncoder
from sktransfer.modalities.image.options import ImageOptions

__all__ = ["TransferImageRegressor"]


@with_parameters
class TransferImageRegressor(ImageOptions, TransferRegressor):
    """Predict numbers from images with a pretrained network.

    `fit` takes paths of image files, Pillow images or arrays, and numbers. The target is
    standardised inside, and predictions are in the caller's units. With ``freeze="frozen"`` and the
    squared error it is the ridge regression on the features. The networks are those of the plugin
    ``sktransfer-vision``.

    Parameters
    ----------
    backbone : str, path-like, Backbone or FrozenEstimator, default="efficientnet-lite0"
        The pretrained encoder: a registered name (``sktransfer plugins`` lists them), a hub id
        ``"owner/name"``, a folder as a ``pathlib.Path``, a parameter object, or the ``encoder_`` of
        another fitted estimator.
    freeze : str or FreezeStrategy, default="auto"
        Which blocks of the encoder train when. ``"frozen"`` trains none of them, and fits the head
        alone to convergence; ``"head_by_epochs"`` trains the head alone by epochs. ``"full"``,
        ``"top_layers"``, ``"bottom_layers"``, ``"lp_ft"``, ``"gradual"``, ``"chain_thaw"`` and
        ``"bias_only"`` train more. ``"auto"`` picks one by the number of labelled images per class,
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
        `sklearn.metrics.make_scorer` makes it, is given targets and predictions, and no images.
    image_size : int or None, default=None
        Side of the square that the encoder reads, in pixels. None is the size that it was trained
        with; a smaller one is faster.
    augmentation : ImageAugmentation or None, default=None
        How images are flipped, cut, turned and coloured at random in training. Blocks that train
        see each image anew in each epoch; what does not train sees ``n_views`` fixed views of it.
    on_bad_image : {"raise", "skip"}, default="raise"
        What to do with images that cannot be read. ``"raise"`` raises an error that names the first
        one. ``"skip"`` leaves them out of the training, with a warning that names them; an encoder
        gives NaN for their features, while predictions, which owe a row for each image, always
        raise. ``"skip"`` decodes all images once before, but files that stay as they are only once
        a process, however many fits there are.
    precision : {"auto", "bf16", "fp32"}, default="auto"
        The number format that the encoder runs in. ``"auto"`` is bf16 where the hardware has it,
        and fp32 elsewhere. Weights are always kept and updated in fp32. In bf16, results may differ
        in the second digit from those in fp32, which an ONNX file gives, and in the third one with
        the images in the same batch.
    compile : bool, default=False
        Whether torch compiles the encoder for computing features, which takes some seconds once in
        a process. Training is not compiled.
    device : str, default="auto"
        The device, as torch names it. ``"auto"`` is the first CUDA device, or the CPU.
    cache : "memory", path-like or None, default=None
        Where the features of images are kept between fits, folds and searches: in this process, in
        a folder that processes share and restarts keep (extra ``cache``), or nowhere. Used where
        the encoder does not train, and in prediction.
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
        Number of columns of y; None where it had one dimension.
    encoder_ : FrozenEstimator
        The tuned encoder as a fitted `TransferImageEncoder`: transforms images, and is a valid
        ``backbone`` for another task.
    bad_images_ : dict of int to str
        Position of each image that the last training left out, and why.
    net_, backbone_, freeze_, decision_, history_, n_iter_, stages_, n_parameters_ :
        As in `TransferImageClassifier`.

    See Also
    --------
    TransferImageClassifier : Labels instead of numbers.
    sklearn.linear_model.Ridge : What the head is when nothing else trains, with ``alpha=1 / C``.

    Notes
    -----
    Grades in a few steps, such as one to five stars, are ordinal: regression uses their order,
    where classification ignores it. Round the predictions where whole steps are wanted.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import TransferImageRegressor
    >>> from sktransfer_vision import EfficientNetLite
    >>> brightness = np.linspace(0, 1, 20)
    >>> images = np.ones((20, 32, 32, 3)) * brightness[:, None, None, None]
    >>> tiny = EfficientNetLite(weights=None, image_size=33)
    >>> reg = TransferImageRegressor(tiny, freeze="frozen", random_state=0).fit(images, brightness)
    >>> dark, bright = reg.predict(images[[0, -1]])
    >>> bright > dark
    np.True_
    """

    encoder_class = TransferImageEncoder
