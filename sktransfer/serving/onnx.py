"""Export a fitted model to an ONNX file, which is checked, and predict through such a file."""

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

from sktransfer._suggestions import import_extra
from sktransfer.contracts import EncoderWrapper
from sktransfer.features.encode import encode, encode_chunks
from sktransfer.training.module import TransferModule

if TYPE_CHECKING:
    from sktransfer.contracts import Encoder
    from sktransfer.features.store import FeatureStore

# Largest difference of outputs by rounding, relative to the largest output.
_TOLERANCE = 1e-4
_IDENTITY = "sktransfer.identity"
# Codes of terminals for colours.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def export_onnx(module: TransferModule, examples: Sequence[Any], path: Path) -> None:
    """Write a module's computation, from batches of rows to outputs.

    Parameters
    ----------
    module : TransferModule
        Module on the CPU.
    examples : sequence of at least 4 hashable inputs
        Inputs of different lengths. The first two are traced, and outputs of all are compared.
    path : pathlib.Path
        File to write. An existing file is replaced only after the comparison.

    Raises
    ------
    ImportError
        If onnx, onnxscript or onnxruntime is missing.
    ValueError
        If the computation cannot be exported, as that of a task of states, or the file gives
        different outputs.
    """
    if module.of_states:
        raise ValueError(
            "This model cannot be exported to ONNX: its task has a target for each state of an "
            "input, such as a word of a sentence, and only tasks with one for each input are "
            "exported. Use save(path) and sktransfer.load(path) to predict elsewhere."
        )
    for name in ("onnx", "onnxscript", "onnxruntime"):
        import_extra(name, "onnx", "ONNX")
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
        # The last cause says what is wrong, the others only in which step.
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        lines = _COLOUR.sub("", str(cause)).strip().splitlines() or [type(cause).__name__]
        raise ValueError(f"This model cannot be exported to ONNX: {lines[0]}") from error
    assert program is not None
    program.model.metadata_props[_IDENTITY] = _identity(module)
    program.model.metadata_props["sktransfer.version"] = version("sktransfer")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        # Weights of more than 2 GB are in a second file, which the first one names.
        program.save(Path(folder) / path.name)
        _compare(OnnxModule(module, Path(folder) / path.name), module, examples)
        for file in sorted(Path(folder).iterdir(), key=lambda file: file.name == path.name):
            os.replace(file, path.parent / file.name)


def with_onnx(estimator: Any, path: str | os.PathLike[str]) -> Any:
    """Return a fitted estimator that predicts through an ONNX file.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator that the file was exported from, or a saved and loaded one. It is not
        changed. Its copy still prepares inputs and names labels.
    path : str or path-like
        File that ``export_onnx`` wrote.

    Returns
    -------
    served : estimator
        A copy for predictions only. Its pickle names the file by its path.

    Raises
    ------
    ImportError
        If onnxruntime is missing.
    FileNotFoundError
        If there is no such file.
    TypeError
        If ``estimator`` is not one of sktransfer.
    ValueError
        If the file is not an ONNX model, or was exported from another model.
    """
    if not hasattr(estimator, "export_onnx"):
        raise TypeError(
            f"estimator has to be one of sktransfer, got a {type(estimator).__name__}: in a "
            "Pipeline, exchange the step, pipe.set_params(clf=with_onnx(pipe['clf'], path))."
        )
    check_is_fitted(estimator)
    served = copy.copy(estimator)
    served.net_ = _OnnxNet(estimator.net_, Path(path))
    return served


class _OnnxEncoder(EncoderWrapper):
    """An encoder that computes outputs of the head, or features, through an ONNX file.

    Parameters
    ----------
    inner : Encoder
        Encoder that prepares and collates inputs.
    session : onnxruntime.InferenceSession
        Session of the file.
    """

    def __init__(self, inner: Encoder, session: Any) -> None:
        super().__init__(inner)
        self.dim = int(session.get_outputs()[0].shape[1])
        self._session = session
        self._shapes = {entry.name: entry.shape for entry in session.get_inputs()}

    def states(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the vector of each row as its only state."""
        vectors = self.forward(batch)
        return vectors.unsqueeze(1), vectors.new_ones(len(vectors), 1)

    def pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the only state of each row."""
        return hidden[:, 0]

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Run the file on a batch."""
        inputs = {}
        for name, shape in self._shapes.items():
            value = batch[name].cpu().numpy()
            if value.ndim < len(shape):
                # A batch of one window has no axis of windows, and its longest text as length.
                room = [(0, 0), (0, shape[2] - value.shape[1])]
                value = np.pad(value, room)[:, None]
            inputs[name] = value
        return torch.from_numpy(self._session.run(None, inputs)[0])


class OnnxModule:
    """Take the place of a `TransferModule` in predictions.

    Parameters
    ----------
    module : TransferModule
        Module that the file was exported from, which prepares inputs.
    path : pathlib.Path
        ONNX file, which computes outputs.
    """

    def __init__(self, module: TransferModule, path: Path) -> None:
        onnxruntime = import_extra("onnxruntime", "onnx", "ONNX")
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
        except Exception as error:  # onnxruntime has a dozen types of errors
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
        """Apply a function to outputs, as `TransferModule.map_outputs` does, without a store."""
        chunks = encode_chunks(self._served, X, "fp32")
        return [function(outputs.double(), ()) for outputs in chunks]

    def features(self, X: Sequence[Any], store: FeatureStore | None = None) -> torch.Tensor:
        """Compute features, if the model was exported without a head."""
        return encode(self._served, X, "fp32")


class _OnnxNet:
    """Take the place of a `FittedNet` in predictions."""

    def __init__(self, net: Any, path: Path) -> None:
        self._net, self._path = net, path
        self._module = OnnxModule(net.on("cpu", "fp32"), path)

    def on(self, device: str, precision: str) -> OnnxModule:
        """Return the module, which does not depend on the device."""
        return self._module

    @property
    def head(self) -> Any:
        """Head of the original, which computes probabilities."""
        return self._net.head

    @property
    def state(self) -> Any:
        """State of the original, from which saving and further training start."""
        return self._net.state

    @property
    def seconds(self) -> list[dict[str, Any]]:
        """Seconds of the original's stages."""
        return self._net.seconds

    def without_head(self) -> Any:
        """Return the net of the original without its head."""
        return self._net.without_head()

    def __reduce__(self) -> tuple[Any, ...]:
        return _OnnxNet, (self._net, self._path)

    @property
    def module_(self) -> OnnxModule:
        """Module that predicts through the file."""
        return self._module


class _Whole(nn.Module):
    """Encoder and head with tensors as arguments, as the exporter needs them."""

    def __init__(self, module: TransferModule, names: list[str]) -> None:
        super().__init__()
        self._of = module
        self._names = names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        batch = dict(zip(self._names, tensors, strict=True))
        return self._of.head(self._of.encoder.forward(batch).float())


def _free_axes(traced: torch.Tensor, alone: list[torch.Tensor]) -> dict[int, Any]:
    """Return the axes of variable length: that of rows, and that of padding if there is any."""
    same = all(each.shape[1:] == traced.shape[1:] for each in alone)
    # The axis of tokens is the third one in batches of windows, and has a fixed length.
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


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the log messages and warnings of the exporter in the block."""
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
