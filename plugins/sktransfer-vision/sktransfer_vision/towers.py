"""Models of transformers that read pictures: found in their files, and loaded."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from sktransfer.plugins import ModelFiles, drawing, model_class

if TYPE_CHECKING:
    import torch

__all__ = ["Tower", "drawn_tower", "load_tower"]

# Weights of pretraining tasks, which features do not depend on.
_UNUSED = ("mask_token",)


class Tower(NamedTuple):
    """A model that reads pictures.

    Attributes
    ----------
    model : torch.nn.Module
        In single precision.
    missing : list of str
        Names of parameters that were drawn, since no file has them.
    """

    model: torch.nn.Module
    missing: list[str]


def load_tower(files: ModelFiles, *, trust_remote_code: bool, random_state: int) -> Tower:
    """Load a model, of one that reads texts, too, the part that reads pictures.

    Parameters
    ----------
    files : ModelFiles
        Checked.
    trust_remote_code : bool
        Whether code that comes with the model may run.
    random_state : int
        Seeds weights that no file has.

    Returns
    -------
    tower : Tower

    Raises
    ------
    ImportError
        If it is a model of timm, and that cannot be imported.
    ValueError
        If it reads no pictures, or cannot be loaded.
    """
    import torch
    from transformers import AutoModel

    _check_no_timm(files)
    config = files.config(trust_remote_code=trust_remote_code)
    own = getattr(config, "vision_config", None)
    wanted: Any = AutoModel
    shared: dict[str, Any] = {"config": config, "trust_remote_code": trust_remote_code}
    if own is not None:
        wanted, shared = model_class(own), {"config": own}
    cls = model_class(config if own is None else own)
    if wanted is None or getattr(cls, "main_input_name", "pixel_values") != "pixel_values":
        raise _reads_no_pictures(files, config, cls)
    with files.loading(random_state):
        try:
            model, report = wanted.from_pretrained(
                files.folder,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                local_files_only=True,
                **shared,
            )
        except (OSError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise files.unloadable(error) from error
        if model.main_input_name != "pixel_values":
            raise _reads_no_pictures(files, config, type(model))
        names = [name for name, _ in model.named_parameters()]
        missing = [
            name
            for name in sorted(report["missing_keys"])
            if name in names and name.rpartition(".")[2] not in _UNUSED
        ]
        if 2 * len(missing) > len(names):
            raise ValueError(
                f"{files.folder} lacks {len(missing)} of {len(names)} weights of a "
                f"{type(model).__name__} (the first is {missing[0]!r}): its files do not hold what "
                "its config.json names."
            )
        files.hold(model)
    return Tower(model, missing)


def drawn_tower(settings: dict[str, Any], random_state: int) -> Tower:
    """Draw a model that reads pictures.

    Parameters
    ----------
    settings : dict
        ``model_type``, and what else the configuration of such a model has.
    random_state : int
        Seeds its weights.

    Returns
    -------
    tower : Tower

    Raises
    ------
    ValueError
        If there is no such kind of model, or it reads no pictures.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    others = dict(settings)
    kind = others.pop("model_type", None)
    if not isinstance(kind, str):
        raise ValueError(
            f"A model as a dict is a configuration, and says what it is by model_type, got "
            f"{settings!r}: {{'model_type': 'vit'}} is one."
        )
    with drawing(random_state):
        try:
            config = AutoConfig.for_model(kind, **others)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{settings!r} is no configuration of a model: {error}") from error
        cls = model_class(config)
        if getattr(cls, "main_input_name", "") != "pixel_values":
            raise ValueError(
                f"A model of the kind {kind!r} does not read pictures alone; 'vit', 'dinov2', "
                "'convnext', 'resnet' and 'swin' do."
            )
        model = AutoModel.from_config(config, dtype=torch.float32)
    return Tower(model, [])


def _reads_no_pictures(files: ModelFiles, config: Any, cls: Any) -> ValueError:
    reads = getattr(cls, "main_input_name", "something else")
    return ValueError(
        f"{files.folder} holds a model of the kind {config.model_type!r}, which reads {reads}, and "
        "a backbone of images needs one that reads pixel_values, such as "
        "'facebook/dinov2-small'. A model of texts is for estimators of texts."
    )


def _check_no_timm(files: ModelFiles) -> None:
    path = files.folder / "config.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        is_timm = said.get("model_type", "timm" if "architecture" in said else "")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not valid JSON of a model: {error}") from error
    if is_timm.startswith("timm") and find_spec("timm") is None:
        raise ImportError(
            f"{files.folder} holds a model of timm, which is not installed: `pip install timm`. "
            "That installs torchvision, too, whose wheels keep transformers from being imported "
            "beside a CPU build of torch. Other models need neither, such as "
            "'microsoft/resnet-50' in place of timm's; and its VGG16 is read without it, by "
            "VGG16(weights=...) of sktransfer_vision."
        )
