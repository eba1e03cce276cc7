"""Refuse configurations of models that name code or kernels, unless the user trusts them.

The transformers library guards ``auto_map`` by ``trust_remote_code``, but a configuration has other
keys that lead to code or to a download, some of them guarded late or only in some releases. All of
them are refused here, before the library reads the file.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["refuse_named_code"]

# Keys that are refused with any value that is not empty, and their effect.
_REFUSED = {
    "auto_map": "names classes in the model's own code",
    "custom_pipelines": "names pipelines in the model's own code",
    # LightGlue's configuration handed it on to a nested model.
    "trust_remote_code": "allows a nested model to run code of its own",
    "attribute_map": "gives other keys a second name, under which this check does not know them",
    "configuration_files": "names a configuration to be read in place of this one",
    "quantization_config": "asks for the kernels of a quantisation",
    "compression_config": "asks for the kernels of a quantisation",
    "kernel_config": "names kernels of the hub",
    "use_kernels": "asks for kernels of the hub",
    "checkpoint_path": "names a file of weights that timm unpickles",
    # Of adapter_config.json: peft imports the modules that it names, and loads another model.
    "peft_type": "lets the peft library load an adapter and the modules that it names",
}
# Keys that hold the name of a function of transformers, for all or for each nested model. The name
# of a repository in its place is downloaded and imported.
_IMPLEMENTATIONS = re.compile(r".*(attn|experts)_implementation.*")
# Keys that hold the name of a class of transformers.
_CLASSES = re.compile(
    r".*(tokenizer|processor|feature_extractor)_class|.*(processor|feature_extractor)_type"
)
# Keys that hold the name of an architecture of timm, or else a repository of the hub.
_ARCHITECTURES = re.compile(r"architecture|backbone")
_WORD = re.compile(r"\w*")
_ARCHITECTURE = re.compile(r"[\w.-]*")


def refuse_named_code(config: Mapping[str, Any], where: str, caller: str) -> None:
    """Refuse a configuration that names code, kernels or another configuration.

    Parameters
    ----------
    config : mapping of str to object
        Content of the file; nested configurations are checked, too.
    where : str
        Path of the file, for the message.
    caller : str
        Name of the backbone's class, for the message.

    Raises
    ------
    ValueError
        If a key is refused; the message names the file, the key and the value.

    Examples
    --------
    >>> from sktransfer.weights.named_code import refuse_named_code
    >>> refuse_named_code({"attn_implementation": "sdpa"}, "config.json", "TransformerBackbone")
    >>> named = {"text_config": {"attn_implementation": "owner/kernel"}}
    >>> refuse_named_code(named, "config.json", "TransformerBackbone")
    Traceback (most recent call last):
    ...
    ValueError: config.json has text_config.attn_implementation='owner/kernel', which is not the
    name of a function of transformers. This could run code that is not trusted. Read that code,
    then pass TransformerBackbone(..., trust_remote_code=True).
    """
    for keys, value in _entries(config):
        reason = _reason(keys, value)
        if reason is not None:
            raise ValueError(
                f"{where} has {'.'.join(keys)}={reprlib.repr(value)}, which {reason}. This "
                "could run code that is not trusted. Read that code, then pass "
                f"{caller}(..., trust_remote_code=True)."
            )


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each entry of all levels, with the keys that lead to it."""
    left: list[tuple[tuple[str, ...], Any]] = [((), config)]
    while left:
        above, value = left.pop()
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            keys = (*above, str(key))
            yield keys, item
            if isinstance(item, Mapping | list | tuple):
                left.append((keys, item))


def _reason(keys: tuple[str, ...], value: Any) -> str | None:
    """Return the reason why an entry is refused; None if it is not."""
    if value and keys[-1] in _REFUSED:
        return _REFUSED[keys[-1]]
    if not isinstance(value, str):
        return None
    if not _WORD.fullmatch(value):
        if any(_IMPLEMENTATIONS.fullmatch(key) for key in keys):
            return "is not the name of a function of transformers"
        if _CLASSES.fullmatch(keys[-1]):
            return "is not the name of a class of transformers"
    if _ARCHITECTURES.fullmatch(keys[-1]) and not _ARCHITECTURE.fullmatch(value):
        return "names a repository or a file instead of an architecture"
    return None
