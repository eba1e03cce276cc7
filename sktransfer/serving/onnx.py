"""ONNX: a fitted model as one file, checked when it is written, and predictions through it."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sktransfer.contracts import EncoderWrapper
from sktransfer.features.encode import encode, encode_chunks
from sktransfer.training.module import TransferModule

if TYPE_CHECKING:
    from sktransfer.contracts import Encoder
    from sktransfer.features.store import FeatureStore

# What rounding may move an output by, relative to the largest.
_TOLERANCE = 1e-4
_IDENTITY = "sktransfer.identity"
# What terminals read as a change of colour.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def export_onnx(module: TransferModule, examples: Sequence[Any], path: Path) -> None:
    """Write a module's computation, from batches of rows to outputs.

    Parameters
    ----------
    module : TransferModule
        On the CPU.
    examples : sequence of at least 4 hashable inputs
        Of different lengths. The first two are traced; all are compared.
    path : pathlib.Path
        The file to write, which is replaced only by one that passed the comparison.

    Raises
    ------
    ImportError
        If onnx, onnxscript or onnxruntime is missing.
    ValueError
        If the computation cannot be exported, or gives other outputs.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        _import(name)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{path} has to be a file in an existing folder.")
    module.eval()
    rows = module.encoder.prepare(examples)
    traced = module.encoder.collate(rows[:2])
    names = list(traced)
    alone = [module.encoder.collate([row]) for row in rows]
    shapes = tuple(_free_axes(traced[name], [batch[name] for batch in alone]) for name in names)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                _Whole(module, names),
                tuple(traced.values()),
                None,
                dynamo=True,
                input_names=names,
                output_names=["outputs"],
                dynamic_shapes=(shapes,),
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        # The last of the causes says what is wrong, the others which step met it.
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        lines = _COLOUR.sub("", str(cause)).strip().splitlines() or [type(cause).__name__]
        raise ValueError(f"This model cannot be exported to ONNX: {lines[0]}") from error
    assert program is not None
    program.model.metadata_props[_IDENTITY] = _identity(module)
    program.model.metadata_props["sktransfer.version"] = version("sktransfer")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        # Weights of more than 2 GB stand in a second file, known by its name.
        program.save(Path(folder) / path.name)
        _compare(OnnxModule(module, Path(folder) / path.name), module, examples)
        for file in sorted(Path(folder).iterdir(), key=lambda file: file.name == path.name):
            os.replace(file, path.parent / file.name)


def with_onnx(estimator: Any, path: str | os.PathLike[str]) -> Any:
    """Give a fitted estimator that predicts through an ONNX file.

    Parameters
    ----------
    estimator : estimator
        Fitted; what the file was exported from, or the same that was saved and loaded. It is left
        as it is, and goes on reading inputs and naming labels.
    path : str or path-like
        What `export_onnx` wrote.

    Returns
    -------
    served : estimator
        A copy for predictions alone. Its pickle names the file by its path.

    Raises
    ------
    ImportError
        If onnxruntime is missing.
    FileNotFoundError
        If there is no such file.
    TypeError
        If this is no estimator of ours.
    ValueError
        If the file is no ONNX model, or was exported from another model.
    """
    if not hasattr(estimator, "export_onnx"):
        raise TypeError(
            f"An estimator of sktransfer is expected, got a {type(estimator).__name__}: in a "
            "Pipeline, exchange the step, pipe.set_params(clf=with_onnx(pipe['clf'], path))."
        )
    check_is_fitted(estimator)
    served = copy.copy(estimator)
    served.net_ = _OnnxNet(estimator.net_, Path(path))
    return served


class _OnnxEncoder(EncoderWrapper):
    """An encoder whose vectors an ONNX file computes: outputs of the head, or features.

    Parameters
    ----------
    inner : Encoder
        Prepares and collates inputs.
    session : onnxruntime.InferenceSession
        Computes the vectors.
    """

    def __init__(self, inner: Encoder, session: Any) -> None:
        super().__init__(inner)
        self.dim = int(session.get_outputs()[0].shape[1])
        self._session = session
        self._shapes = {entry.name: entry.shape for entry in session.get_inputs()}

    def states(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the vectors as the only state of each row."""
        vectors = self.forward(batch)
        return vectors.unsqueeze(1), vectors.new_ones(len(vectors), 1)

    def pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Give the only state of each row."""
        return hidden[:, 0]

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Run the file on a batch."""
        inputs = {}
        for name, shape in self._shapes.items():
            value = batch[name].cpu().numpy()
            if value.ndim < len(shape):
                # Texts of one window come without the axis of windows, and padded to the longest.
                room = [(0, 0), (0, shape[2] - value.shape[1])]
                value = np.pad(value, room)[:, None]
            inputs[name] = value
        return torch.from_numpy(self._session.run(None, inputs)[0])


class OnnxModule:
    """Stands where a `TransferModule` stands for predictions.

    Parameters
    ----------
    module : TransferModule
        Reads inputs.
    path : pathlib.Path
        Computes outputs.
    """

    def __init__(self, module: TransferModule, path: Path) -> None:
        onnxruntime = _import("onnxruntime")
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no file {path}; estimator.export_onnx(path) writes one."
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own, of a dozen kinds
            raise ValueError(f"{path} is no ONNX model that onnxruntime reads: {error}") from error
        exported = session.get_modelmeta().custom_metadata_map.get(_IDENTITY)
        if exported != _identity(module):
            raise ValueError(
                f"{path} was exported from another model, or before this one was trained on: "
                "export it again with estimator.export_onnx(path)."
            )
        self.encoder = module.encoder
        self._served = _OnnxEncoder(module.encoder, session)

    def map_outputs(
        self,
        X: Sequence[Any],
        function: Callable[[torch.Tensor, Sequence[int]], Any],
        store: FeatureStore | None = None,
    ) -> list[Any]:
        """Apply a function to outputs, as `TransferModule.map_outputs` does; no store is needed."""
        chunks = encode_chunks(self._served, X, "fp32")
        return [function(outputs.double(), ()) for outputs in chunks]

    def features(self, X: Sequence[Any], store: FeatureStore | None = None) -> torch.Tensor:
        """Compute features, where the model has no head."""
        return encode(self._served, X, "fp32")


class _OnnxNet:
    """Stands where a `FittedNet` stands for predictions."""

    def __init__(self, net: Any, path: Path) -> None:
        self._net, self._path = net, path
        self._module = OnnxModule(net.on("cpu", "fp32"), path)

    def on(self, device: str, precision: str) -> OnnxModule:
        """Give the module, whatever the device."""
        return self._module

    @property
    def head(self) -> Any:
        """What owns the probabilities."""
        return self._net.head

    @property
    def state(self) -> Any:
        """What was trained: saving and further training go on from the original."""
        return self._net.state

    def without_head(self) -> Any:
        """Give the original's encoder alone."""
        return self._net.without_head()

    def __reduce__(self) -> tuple[Any, ...]:
        return _OnnxNet, (self._net, self._path)

    @property
    def module_(self) -> OnnxModule:
        """The module."""
        return self._module


class _Whole(nn.Module):
    """Encoder and head with tensors as arguments, as ONNX wants them."""

    def __init__(self, module: TransferModule, names: list[str]) -> None:
        super().__init__()
        self._of = module
        self._names = names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        batch = dict(zip(self._names, tensors, strict=True))
        return self._of.head(self._of.encoder.forward(batch).float())


def _free_axes(traced: torch.Tensor, alone: list[torch.Tensor]) -> dict[int, Any]:
    """Say which axes are of any length: rows, and what they are padded to, if they are."""
    same = all(each.shape[1:] == traced.shape[1:] for each in alone)
    # The windows of a text are a third axis, whose length is that of a window.
    return dict.fromkeys(range(1 if same else 2), torch.export.Dim.DYNAMIC)


def _compare(found: OnnxModule, module: TransferModule, examples: Sequence[Any]) -> None:
    for some in (examples[:1], examples[1:3], examples):
        with torch.inference_mode():
            wanted = module(module.encoder.collate(module.encoder.prepare(some)))
        own = torch.cat(found.map_outputs(some, lambda outputs, lengths: outputs))
        error = float((own - wanted).abs().max())
        size = max(1.0, float(wanted.abs().max()))
        if not error <= _TOLERANCE * size:
            raise ValueError(
                f"The ONNX file gives outputs that differ by {error:.2g} for {len(some)} inputs, "
                f"where at most {_TOLERANCE * size:.2g} is rounding. It was not written."
            )


def _identity(module: TransferModule) -> str:
    digest = hashlib.blake2b(module.identity().encode(), digest_size=16)
    for name, value in sorted(module.head.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _import(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"ONNX needs {name}, which is not installed: pip install 'sktransfer[onnx]'."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks about itself from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
