"""Any model of the transformers library that reads pictures, by hub id or folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from sktransfer.plugins import Backbone, Encoder, ModelFiles, refuse_named_code
from sktransfer_vision.base import FROZEN_BELOW

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from sktransfer_vision.transformer_encoder import TowerEncoder

__all__ = ["ImageTransformer"]

_USUAL_SIZE = 224


class ImageTransformer(Backbone):
    """A model of transformers that reads images: ViT, DINOv2, ConvNeXt, ResNet, Swin, CLIP, ...

    Of a model that reads texts, too, such as CLIP or SigLIP, the part that reads images is taken,
    without the projection into the space that both share. Pictures are cut, resized and scaled as
    the model's own ``preprocessor_config.json`` says; a model without one is read as most networks
    of ImageNet are, with a warning.

    Parameters
    ----------
    model : str, pathlib.Path or dict, default="facebook/dinov2-small"
        A hub id ``owner/name``; or a folder, as a ``pathlib.Path`` or a string that begins with
        ``./`` or ``/``; or a configuration, ``model_type`` included, whose weights are drawn. Only
        safetensors are read.
    pooling : {"auto", "cls", "mean"}, default="auto"
        How states become one vector: that of the class token, or the mean over patches or maps,
        registers left out. ``"auto"`` is what the model itself makes of them, where that was
        trained or has no weights: the class token after the last normalisation of ViT and CLIP,
        attention over patches of SigLIP, the mean over maps of ResNet, which ConvNeXt normalises.
        A dense layer on a class token, such as ViT's, is left out.
    image_size : int or None, default=None
        Pixels of a side of what is read; by default what the model's files say. Positions are
        interpolated where the model has that.
    revision : str or None, default=None
        Branch, tag or commit on the hub.
    trust_remote_code : bool, default=False
        Whether code that comes with the model may run. Read it first.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer_vision import ImageTransformer
    >>> small = {"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2}
    >>> small |= {"num_attention_heads": 2, "intermediate_size": 64, "image_size": 48}
    >>> encoder = ImageTransformer(small).load(device="cpu", random_state=0)
    >>> rows = encoder.prepare([np.zeros((300, 400, 3), dtype=np.uint8)])
    >>> encoder.forward(encoder.collate(rows)).shape
    torch.Size([1, 32])
    >>> list(encoder.blocks)
    ['embeddings', 'layer.0', 'layer.1']
    """

    modality: ClassVar[str] = "image"
    frozen_below: ClassVar[int] = FROZEN_BELOW
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "model": [str, os.PathLike, dict],
        "pooling": [StrOptions({"auto", "cls", "mean"})],
        "image_size": [Interval(Integral, 1, None, closed="left"), None],
        "revision": [str, None],
        "trust_remote_code": ["boolean"],
    }

    def __init__(
        self,
        model: str | os.PathLike[str] | dict[str, Any] = "facebook/dinov2-small",
        pooling: str = "auto",
        image_size: int | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.image_size = image_size
        self.revision = revision
        self.trust_remote_code = trust_remote_code

    @property
    def pretrained(self) -> bool:
        """Whether there is something to keep by freezing."""
        return not isinstance(self.model, dict)

    @property
    def lr(self) -> float:
        """Learning rate with ``lr="auto"``; what is drawn has a longer way to go. Not tuned."""
        return 1e-4 if self.pretrained else 1e-3

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        vit = {"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 2, "patch_size": 8}
        vit |= {"num_attention_heads": 2, "intermediate_size": 32, "image_size": 32}
        resnet = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16]}
        resnet |= {"depths": [1, 2], "layer_type": "basic"}
        return [{"model": vit, "image_size": 40}, {"model": resnet, "image_size": 32}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution

        return {"pooling": CategoricalDistribution(["auto", "mean"])}

    def learned_from(self, X: Sequence[Any], earlier: Backbone | None = None) -> Backbone:
        """Learn nothing; give a path from the root, so that it is found from wherever it is loaded.

        Parameters
        ----------
        X : sequence of n pictures
            Not looked at.
        earlier : Backbone or None, default=None
            Not looked at.

        Returns
        -------
        backbone : ImageTransformer
        """
        is_path = isinstance(self.model, os.PathLike) or str(self.model).startswith(("./", ".\\"))
        if isinstance(self.model, dict) or not is_path or Path(self.model).is_absolute():
            return self
        return clone(self).set_params(model=Path(self.model).absolute())

    def load(self, *, device: str, random_state: int) -> TowerEncoder:
        """Find the files, and load them in single precision.

        Parameters
        ----------
        device : str
            Where the network has to be.
        random_state : int
            Seeds weights that the files lack; a warning counts them.

        Returns
        -------
        encoder : TowerEncoder

        Raises
        ------
        OSError
            If the model is not on this machine and cannot be downloaded.
        ValueError
            If a parameter is not what it may be, the folder holds no model of images, or that
            needs code that is not trusted.
        """
        self._validate_params()
        from sktransfer_vision.reading import PictureReader, usual_processor
        from sktransfer_vision.tower_network import TowerNetwork
        from sktransfer_vision.towers import drawn_tower
        from sktransfer_vision.transformer_encoder import TowerEncoder

        if isinstance(self.model, dict):
            if not self.trust_remote_code:
                refuse_named_code(self.model, "model", type(self).__name__)
            tower = drawn_tower(self.model, random_state)
            files, weights = None, [json.dumps(self.model, sort_keys=True), _hash_of(tower.model)]
            processor = usual_processor(self.image_size or _size_of(tower.model))
            reader = PictureReader(processor, None)
        else:
            files = ModelFiles.find(self.model, self.revision, preprocessor=True)
            tower, reader, weights = self._loaded(files, random_state)
        network = TowerNetwork(tower, reader, self.pooling, keeps_statistics=files is not None)
        left = {name.removeprefix("model.") for name, _ in network.named_parameters()}
        missing = [name for name in tower.missing if name in left]
        if files is not None and missing:
            files.warn_of_missing(missing)
            # Weights that are drawn here belong to what the encoder is, as those in the files do.
            weights.append(f"random_state={random_state}")
        return TowerEncoder(network, reader, weights=weights, files=files, device=device)

    def export(self, encoder: Encoder, folder: Path) -> ImageTransformer:
        """Copy the model's files; what is drawn needs none.

        Parameters
        ----------
        encoder : TowerEncoder
            What `load` returned.
        folder : pathlib.Path
            An existing empty folder.

        Returns
        -------
        backbone : ImageTransformer
            Loads from ``folder``, with all other parameters as here.
        """
        files: ModelFiles | None = encoder.files  # type: ignore[attr-defined]
        if files is None:
            return self
        files.copy_to(folder)
        return clone(self).set_params(model=folder, revision=None)

    def _loaded(self, files: ModelFiles, random_state: int) -> Any:
        from sktransfer_vision.reading import PictureReader, processor_of
        from sktransfer_vision.towers import load_tower

        files.check(
            trust_remote_code=self.trust_remote_code,
            caller=type(self).__name__,
            settings=["preprocessor_config.json", "processor_config.json"],
        )
        tower = load_tower(
            files, trust_remote_code=self.trust_remote_code, random_state=random_state
        )
        with files.loading(random_state):
            usual = self.image_size or _size_of(tower.model)
            processor = processor_of(files.folder, usual, self.trust_remote_code)
            reader = PictureReader(processor, self.image_size)
        return tower, reader, files.hashes()


def _size_of(model: Any) -> int:
    """Give the size that a model is made for, where it is made for one."""
    size = getattr(model.config, "image_size", None)
    return size if isinstance(size, int) else max(size) if size else _USUAL_SIZE


def _hash_of(model: Any) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()
