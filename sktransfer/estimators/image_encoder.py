"""The image encoder."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktransfer.estimators._encoder import BaseTransferEncoder
from sktransfer.estimators._image_input import ImageInput, warn_of_unreadable
from sktransfer.estimators._tuning import trains_body
from sktransfer.images.pictures import check_pictures
from sktransfer.images.readable import unreadable
from sktransfer.plugins import resolve

__all__ = ["TransferImageEncoder"]


class TransferImageEncoder(ImageInput, BaseTransferEncoder):
    """Turn images into features with a pretrained encoder.

    A transformer: it stands before any estimator of scikit-learn, and in a
    `sklearn.compose.ColumnTransformer` beside numbers and categories. `fit` learns nothing,
    unless ``freeze`` says that the encoder is to be tuned on labels.

    Parameters
    ----------
    backbone : str, path-like, Backbone or FrozenEstimator, default="efficientnet-lite0"
        As in `TransferImageClassifier`; among others what a fitted classifier's ``encoder_`` gave.
    freeze : str or FreezeStrategy, default="frozen"
        Which blocks of the encoder train when, on the labels that `fit` is given.
    task : {"auto", "classification", "regression"}, default="auto"
        What the labels are, where the encoder is tuned. ``"auto"`` takes numbers with fractions
        for regression, and everything else for labels.
    head : str or Head, default="linear"
        What the encoder is tuned with; not kept.
    source : FrozenEstimator, path-like or None, default=None
        A fitted estimator in `sklearn.frozen.FrozenEstimator`, or the folder that ``save`` wrote,
        whose encoder is where `fit` starts.
    max_epochs : int or "auto", default="auto"
        Epochs; ``"auto"`` goes by the number of rows.
    batch_size : int, default=16
        Rows of a training batch.
    lr : float or "auto", default="auto"
        Peak learning rate of the encoder; ``"auto"`` suits the backbone and strategy.
    weight_decay : float, default=0.01
        Of AdamW, on weights; biases and norms have none.
    warmup : float, default=0.1
        Fraction of the steps in which the learning rate rises; then it falls to zero.
    average : {"ema", "soup"} or None, default=None
        Keep a mean of the weights along the training instead of the last ones.
    early_stopping : bool, default=False
        Whether to hold rows out, stop when their score no longer improves, and restore the best
        weights.
    validation_fraction : float, default=0.1
        Fraction of rows that early stopping holds out.
    n_iter_no_change : int, default=3
        Epochs without a better score before the training stops.
    scoring : str, callable or None, default=None
        What early stopping scores by; None is accuracy or R2.
    image_size : int or None, default=None
        Pixels of a side of what the encoder reads. None is the size that it was trained with;
        smaller is faster.
    augmentation : ImageAugmentation or None, default=None
        Where the encoder is tuned, how training images are flipped, cut, turned and coloured at
        random. Blocks that train see each image anew in each epoch; what does not train sees
        ``n_views`` fixed views of it.
    on_bad_image : {"raise", "skip"}, default="raise"
        What to do with images that cannot be read: raise an error that names the first one, or go
        on with a warning: they are left out of a tuning, and their features are NaN. ``"skip"``
        decodes all images once more before; files that stay as they are once a process.
    precision : {"auto", "bf16", "fp32"}, default="auto"
        In which the encoder runs. ``"auto"`` is bf16 where the hardware has it, and fp32
        elsewhere; weights are always kept and updated in fp32. Features in bf16 differ a little
        from those in fp32, and on some hardware with the images that are encoded beside them.
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
        Seeds everything random.
    verbose : int, default=0
        With 1, a line is printed for each epoch.
    callbacks : list or None, default=None
        skorch callbacks, which are copied and never changed, or functions that return one, for
        those that cannot be copied: ``[lambda: TensorBoard(SummaryWriter("runs"))]``.

    Attributes
    ----------
    net_ : FittedNet
        Holds the encoder as ``net_.module_``. Its pickle refers to the pretrained weights by
        hash, and contains only what was trained.
    backbone_ : Backbone
        What the encoder was loaded from.
    freeze_ : FreezeStrategy
        The strategy that was used.
    stages_, history_ : list of dict
        What the tuning did, as in `TransferImageClassifier`; empty without one.
    decision_ : dict
        What was settled for the tuning, and why; only with one.
    n_iter_ : int
        Epochs of the tuning; only with one.
    n_parameters_ : dict
        How many of the encoder's parameters were ``"trained"``, and how many stayed ``"frozen"``.
    bad_images_ : dict of int to str
        Position of each image that a tuning left out, and why.

    See Also
    --------
    TransferImageClassifier : An encoder and a head in one.
    TransferTextEncoder : The same for texts.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktransfer import TransferImageEncoder
    >>> from sktransfer_vision import EfficientNetLite
    >>> images = np.zeros((4, 32, 32, 3))
    >>> images[2:, ..., 1] = 1.0
    >>> encoder = TransferImageEncoder(EfficientNetLite(weights=None, image_size=33))
    >>> clf = make_pipeline(encoder, LogisticRegression())
    >>> clf.fit(images, ["black", "black", "green", "green"]).predict(images[[0, 3]])
    array(['black', 'green'], dtype='<U5')
    """

    _parameter_constraints = {
        **BaseTransferEncoder._parameter_constraints,
        **ImageInput._parameter_constraints,
    }

    def __init__(
        self,
        backbone: Any = "efficientnet-lite0",
        *,
        freeze: Any = "frozen",
        task: str = "auto",
        head: Any = "linear",
        source: Any = None,
        max_epochs: Any = "auto",
        batch_size: int = 16,
        lr: Any = "auto",
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        average: str | None = None,
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
        self.task = task
        self.head = head
        self.source = source
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.average = average
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _read_new(self, X: Any, backbone: Any) -> Any:
        if trains_body(resolve("freeze", self.freeze)):
            return super()._read_new(X, backbone)
        return check_pictures(X)  # nothing is trained on, and so nothing is left out

    def _encoded(self, module: Any, inputs: Any, store: Any) -> np.ndarray:
        bad = unreadable(inputs) if self.on_bad_image == "skip" else {}
        if not bad:
            return super()._encoded(module, inputs, store)
        warn_of_unreadable(bad, len(inputs), "their features are NaN")
        features = np.full((len(inputs), module.encoder.dim), np.nan, dtype=np.float32)
        good = [i for i in range(len(inputs)) if i not in bad]
        if good:
            features[good] = super()._encoded(module, [inputs[i] for i in good], store)
        return features
