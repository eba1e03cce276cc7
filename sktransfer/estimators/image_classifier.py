"""The image classifier."""

from __future__ import annotations

from typing import Any

from sktransfer.estimators._classifier import BaseTransferClassifier
from sktransfer.estimators._image_input import ImageInput
from sktransfer.estimators.image_encoder import TransferImageEncoder

__all__ = ["TransferImageClassifier"]


class TransferImageClassifier(ImageInput, BaseTransferClassifier):
    """Classify images with a pretrained network.

    `fit` takes paths of image files, Pillow images or arrays, and labels of any type. Files are
    decoded when they are needed, so that they may be more than fit into memory. `partial_fit` goes
    on from there, also to another label set: fit on a large source task, then on a few labelled
    images of the target. The networks are those of the plugin ``sktransfer-vision``.

    Parameters
    ----------
    backbone : str, path-like, Backbone or FrozenEstimator, default="efficientnet-lite0"
        The pretrained encoder: a registered name (``sktransfer plugins`` lists them), a hub id
        ``"owner/name"``, a folder as a ``pathlib.Path``, or a parameter object; or what another
        estimator's ``encoder_`` gave.
    freeze : str or FreezeStrategy, default="auto"
        Which blocks of the encoder train when: ``"frozen"`` fits the head alone, to convergence;
        ``"full"``, ``"top_layers"``, ``"bottom_layers"``, ``"lp_ft"``, ``"gradual"``,
        ``"chain_thaw"`` and ``"bias_only"`` train more; ``"auto"`` picks by the labelled images per
        class and says why in ``decision_``: for pretrained networks that no source has trained
        ``"frozen"`` for fewer than 128 on average, and ``"full"`` for more.
    head : str or Head, default="linear"
        ``"linear"``, ``"mlp"`` or a parameter object.
    source : FrozenEstimator, path-like or None, default=None
        A fitted estimator in `sklearn.frozen.FrozenEstimator`, or the folder that `save` wrote.
        Its encoder is where `fit` starts, and its head where labels agree. Unlike an earlier
        `fit` it survives `clone`, so it works under every search and cross-validation.
    max_epochs : int or "auto", default="auto"
        Epochs of each call of `fit` and `partial_fit`. ``"auto"`` is 10 for up to 500 rows, falls
        to 3 for many, and is never less than the strategy needs to unfreeze everything.
    batch_size : int, default=16
        Rows of a training batch.
    lr : float or "auto", default="auto"
        Peak learning rate of the encoder; the head's is a multiple of it. ``"auto"`` is what suits
        the backbone and strategy.
    weight_decay : float, default=0.01
        Of AdamW, on weights; biases and norms have none.
    warmup : float, default=0.1
        Fraction of the steps in which the learning rate rises; then it falls to zero.
    average : {"ema", "soup"} or None, default=None
        Keep a mean of the weights along the training instead of the last ones: an exponential
        moving average over steps, or the mean over the epochs of the second half. Without effect
        where only the head is fitted.
    class_weight : dict, "balanced", list of dict or None, default=None
        As in scikit-learn. For an indicator matrix a dict ``{0: ..., 1: ...}`` for each label.
    label_smoothing : float, default=0.0
        Fraction of each row's label that is spread over all labels.
    calibrate : {"temperature"} or None, default=None
        Whether to hold rows out, and to scale the outputs by one number that makes the
        probabilities right there. Predicted labels stay the same where one is right.
    threshold : float or "auto", default=0.5
        For indicator matrices: the probability from which a label is predicted. ``"auto"`` holds
        rows out, and tunes it for F1 there: label by label, but drawn towards the one that is
        best for all labels together, by half for a label that ten of these rows have.
    early_stopping : bool, default=False
        Whether to hold rows out, score them after each epoch, stop when the score no longer
        improves, and restore the best weights. Without effect where only the head is fitted.
    validation_fraction : float, default=0.1
        Fraction of rows that early stopping, ``calibrate`` and ``threshold="auto"`` hold out.
    n_iter_no_change : int, default=3
        Epochs without a better score before the training stops.
    scoring : str, callable or None, default=None
        What early stopping scores by, as scikit-learn names it; None is the accuracy. A callable
        is given labels and predictions, as `sklearn.metrics.make_scorer` makes it, and no images.
    image_size : int or None, default=None
        Pixels of a side of what the encoder reads. None is the size that it was trained with;
        smaller is faster.
    augmentation : ImageAugmentation or None, default=None
        How training images are flipped, cut, turned and coloured at random. Blocks that train see
        each image anew in each epoch; what does not train sees ``n_views`` fixed views of it.
    on_bad_image : {"raise", "skip"}, default="raise"
        What to do with images that cannot be read: raise an error that names the first one, or
        leave them out of the training, with a warning that names them. ``"skip"`` decodes all
        images once before; files that stay as they are once a process, however many fits there
        are. Predictions, which owe a row for each image, always raise.
    precision : {"auto", "bf16", "fp32"}, default="auto"
        In which the encoder runs. ``"auto"`` is bf16 where the hardware has it, and fp32
        elsewhere; weights are always kept and updated in fp32. A probability in bf16 may differ
        from that in fp32, which an ONNX file gives, in the second digit, and on some hardware moves
        in the third with the images that are predicted beside it.
    compile : bool, default=False
        Whether torch compiles the encoder for computing features, which takes some seconds once in
        a process. Of MiniLM on a CPU it saves a few per cent in half precision, and nothing else.
        Training is not compiled.
    device : str, default="auto"
        As torch names devices; ``"auto"`` is the first CUDA device, or the CPU.
    cache : None, "memory" or path-like, default=None
        Where features of single images are kept between fits, folds and searches: nowhere, in this
        process, or in a folder that processes share and restarts keep (extra ``cache``). Used
        where the encoder does not train, and in prediction.
    random_state : int, RandomState instance or None, default=None
        Seeds everything random. The same int gives the same bits at the same number of threads.
    verbose : int, default=0
        With 1, a line is printed for each epoch.
    callbacks : list or None, default=None
        skorch callbacks, which are copied and never changed, or functions that return one, for
        those that cannot be copied: ``[lambda: TensorBoard(SummaryWriter("runs"))]``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for an indicator matrix the names or numbers of its columns.
    multilabel_ : bool
        Whether the labels were an indicator matrix.
    thresholds_ : ndarray of shape (n_classes,)
        Probabilities from which labels are predicted; only for indicator matrices.
    temperature_ : float
        What ``calibrate`` found; only with it.
    encoder_ : FrozenEstimator
        The tuned encoder as a fitted `TransferImageEncoder`: transforms images, and is a valid
        ``backbone`` for another task.
    backbone_ : Backbone
        What the encoder was loaded from.
    n_parameters_ : dict
        How many of the encoder's parameters were ``"trained"`` by any stage, and how many stayed
        ``"frozen"``.
    bad_images_ : dict of int to str
        Position of each image that the last training left out, and why.
    net_ : FittedNet
        Holds the trained module as ``net_.module_``. Its pickle refers to the pretrained weights
        by hash, and contains only what was trained.
    history_ : list of dict
        One for each epoch of all stages.
    n_iter_ : int
        Epochs of the last stage; where only the head was fitted, iterations of its solver.
    stages_ : list of dict
        What each call of `fit` and `partial_fit` did: rows, epochs, blocks trained, labels kept,
        added and dropped.
    freeze_ : FreezeStrategy
        The strategy of the last stage.
    decision_ : dict
        What was settled for the last stage, and why.

    See Also
    --------
    TransferTextClassifier : The same for texts.
    sktransfer.datasets.read_image_folder : Paths and labels of a folder.

    Notes
    -----
    Images are what Pillow decodes of JPEG, PNG, GIF, BMP, WebP, TIFF, PPM, AVIF and JPEG 2000, and
    of HEIF where an opener is registered, put upright as their EXIF data says. What is transparent
    is put on white; grey, palette and 16-bit images become red, green and blue of 8 bits. Large
    JPEG files are decoded at a fraction of their size by EfficientNet-Lite and VGG16, at least
    twice what they read. Files of more pixels than ``PIL.Image.MAX_IMAGE_PIXELS`` are refused.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import TransferImageClassifier
    >>> from sktransfer_vision import EfficientNetLite
    >>> rng = np.random.default_rng(0)
    >>> red, blue = np.zeros((2, 10, 32, 32, 3))
    >>> red[..., 0], blue[..., 2] = rng.random((2, 10, 32, 32))
    >>> images, labels = np.concatenate([red, blue]), ["red"] * 10 + ["blue"] * 10
    >>> tiny = EfficientNetLite(weights=None, image_size=33)
    >>> clf = TransferImageClassifier(tiny, freeze="frozen", random_state=0).fit(images, labels)
    >>> clf.predict(images[[0, -1]])
    array(['red', 'blue'], dtype='<U4')
    """

    _parameter_constraints = {
        **BaseTransferClassifier._parameter_constraints,
        **ImageInput._parameter_constraints,
    }

    def __init__(
        self,
        backbone: Any = "efficientnet-lite0",
        *,
        freeze: Any = "auto",
        head: Any = "linear",
        source: Any = None,
        max_epochs: Any = "auto",
        batch_size: int = 16,
        lr: Any = "auto",
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        average: str | None = None,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        calibrate: str | None = None,
        threshold: float | str = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        scoring: Any = None,
        image_size: int | None = None,
        augmentation: Any = None,
        on_bad_image: str = "raise",
        precision: str = "auto",
        compile: bool = False,
        device: str = "auto",
        cache: Any = None,
        random_state: Any = None,
        verbose: int = 0,
        callbacks: Any = None,
    ) -> None:
        self.backbone = backbone
        self.freeze = freeze
        self.head = head
        self.source = source
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.average = average
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.calibrate = calibrate
        self.threshold = threshold
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.image_size = image_size
        self.augmentation = augmentation
        self.on_bad_image = on_bad_image
        self.precision = precision
        self.compile = compile
        self.device = device
        self.cache = cache
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks

    @property
    def encoder_(self) -> Any:
        """The tuned encoder, as a fitted transformer that `clone` keeps."""
        return TransferImageEncoder._of_fitted(self)
