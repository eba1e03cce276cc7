"""The text encoder."""

from __future__ import annotations

from typing import Any

from sktransfer.estimators._encoder import BaseTransferEncoder
from sktransfer.estimators._text_input import TextInput

__all__ = ["TransferTextEncoder"]


class TransferTextEncoder(TextInput, BaseTransferEncoder):
    """Turn texts into features with a pretrained encoder.

    A transformer: it stands before any estimator of scikit-learn, and in a
    `sklearn.compose.ColumnTransformer` beside numbers and categories. `fit` learns nothing,
    unless ``freeze`` says that the encoder is to be tuned on labels.

    Parameters
    ----------
    backbone : str, path-like, Backbone or FrozenEstimator, default="minilm"
        As in `TransferTextClassifier`; among others what a fitted classifier's ``encoder_`` gave.
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
    max_length : int or None, default=None
        Longest text in tokens; see ``long_text`` for longer ones. None leaves it to the backbone.
    long_text : {"truncate", "head_tail", "window_mean", "window_max"}, default="truncate"
        What is read of a longer text: its beginning; its beginning and end; or all of it, in
        windows of ``max_length`` whose features are averaged, or maximised.
    stride : int or None, default=None
        Tokens from the beginning of a window to that of the next; None lets them not overlap.
    precision : {"auto", "bf16", "fp32"}, default="auto"
        In which the encoder runs. ``"auto"`` is bf16 where the hardware has it, and fp32
        elsewhere; weights are always kept and updated in fp32. In bf16 a probability moves in the
        third digit with the texts that are predicted beside it.
    compile : bool, default=False
        Whether torch compiles the encoder for computing features, which takes some seconds once in
        a process. Of MiniLM on a CPU it saves a few per cent in half precision, and nothing else.
        Training is not compiled.
    device : str, default="auto"
        As torch names devices; ``"auto"`` is the first CUDA device, or the CPU.
    cache : None, "memory" or path-like, default=None
        Where features of single texts are kept between fits, folds and searches: nowhere, in this
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
        What the tuning did, as in `TransferTextClassifier`; empty without one.
    decision_ : dict
        What was settled for the tuning, and why; only with one.
    n_iter_ : int
        Epochs of the tuning; only with one.
    n_parameters_ : dict
        How many of the encoder's parameters were ``"trained"``, and how many stayed ``"frozen"``.
    pairs_ : bool
        Whether the inputs were pairs of texts.
    truncation_report_ : dict
        Training ``texts``, how many of them were cut (``texts_cut``), their ``tokens``, and how
        many of those are not read (``tokens_cut``); where the backbone has a longest text.

    See Also
    --------
    TransferTextClassifier : An encoder and a head in one.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktransfer import TransferTextEncoder
    >>> texts = ["a lovely film", "great fun", "a dull film", "boring"]
    >>> clf = make_pipeline(TransferTextEncoder("hashing", random_state=0), LogisticRegression())
    >>> clf.fit(texts, ["good", "good", "bad", "bad"]).predict(["a lovely film"])
    array(['good'], dtype='<U4')
    >>> TransferTextEncoder("hashing").set_output(transform="pandas").fit_transform(texts).shape
    (4, 64)
    """

    _parameter_constraints = {
        **BaseTransferEncoder._parameter_constraints,
        **TextInput._parameter_constraints,
    }

    def __init__(
        self,
        backbone: Any = "minilm",
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
        max_length: int | None = None,
        long_text: str = "truncate",
        stride: int | None = None,
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
        self.max_length = max_length
        self.long_text = long_text
        self.stride = stride
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
