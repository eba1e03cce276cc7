"""What is said of a name that nobody has: which one was meant, and what would install it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sktransfer._suggestions import nearest, of_plugin


class PluginHint(NamedTuple):
    """What is known of a plugin that may not be installed.

    Attributes
    ----------
    distribution : str
        Which distribution has it.
    modality : str
        The modality of a backbone; empty for others.
    """

    distribution: str
    modality: str = ""


_WORDS = PluginHint("sktransfer-wordvectors", "text")
_VISION = PluginHint("sktransfer-vision", "image")
# Kind and name of the plugins of this repository.
PLUGIN_CATALOGUE = {
    ("backbone", "letters"): PluginHint("sktransfer-example", "text"),
    **{("backbone", name): _WORDS for name in ("bilstm", "conv1d", "fasttext", "gru", "textcnn")},
    **{
        ("backbone", name): _VISION
        for name in (
            "efficientnet-lite0",
            "efficientnet-lite1",
            "efficientnet-lite2",
            "image-transformer",
            "vgg16",
        )
    },
}
# What backbones of a modality read, in words.
READS = {"text": "texts", "image": "images", "tokens": "lists of words"}
_HUB = {
    "image": "Any model of transformers that reads images is written 'owner/name', such as "
    "'microsoft/resnet-50'",
}


def installation(kind: str, name: str) -> str:
    """Say which plugin has a name that is not installed.

    Parameters
    ----------
    kind : {"backbone", "freeze", "head", "alignment", "weights"}
        What the name was given for.
    name : str
        What was typed.

    Returns
    -------
    sentence : str
        Empty where no plugin is known to have it.
    """
    known = PLUGIN_CATALOGUE.get((kind, name))
    return "" if known is None else of_plugin(known.distribution)


def known_to_read(kind: str, name: str, distribution: str) -> str:
    """Say what a backbone of a plugin of ours reads, without importing it.

    Parameters
    ----------
    kind : {"backbone", "freeze", "head", "alignment"}
        Of the name.
    name : str
        Registered.
    distribution : str
        Who registered it; others may use the name for something else.

    Returns
    -------
    modality : str
        Empty where it is not known.
    """
    known = PLUGIN_CATALOGUE.get((kind, name))
    return known.modality if known and known.distribution == distribution else ""


def unknown_name(kind: str, name: str, installed: Sequence[Any], reads: str | None) -> str:
    """Say that nobody has registered a name, and what to type instead.

    Parameters
    ----------
    kind : {"backbone", "freeze", "head", "alignment"}
        What the name was given for.
    name : str
        What was typed.
    installed : sequence of PluginInfo
        All of the kind that have a name of their own.
    reads : str or None
        The modality that a backbone has to read; None is any. Where it is not known what one
        reads, that one is imported, which an error may take the time for.

    Returns
    -------
    message : str
    """
    names = [info.name for info in installed if _may_read(info, reads)]
    message = f"There is no {kind} named {name!r}."
    elsewhere = PLUGIN_CATALOGUE.get((kind, name))
    if elsewhere is not None and _differ(elsewhere.modality, reads):
        it, wanted = (READS.get(each or "", each) for each in (elsewhere.modality, reads))
        message += f" The plugin {elsewhere.distribution} has it, but it reads {it}, not {wanted}."
    elif elsewhere is not None:
        message += f" {installation(kind, name)}"
    else:
        others = [
            other
            for (of_kind, other), known in PLUGIN_CATALOGUE.items()
            if of_kind == kind and not _differ(known.modality, reads) and other not in names
        ]
        near = nearest(name, [*names, *others])
        if near is not None:
            message += f" Did you mean {near!r}?"
            message += f" {installation(kind, near)}" if near in others else ""
    message += f" Installed: {', '.join(names) or 'none'}."
    if kind == "backbone":
        hub = _HUB.get(reads or "", "A model of the hub is written 'owner/name'")
        message += f" {hub}; a folder as pathlib.Path(...) or './...'."
    return message


def _may_read(info: Any, reads: str | None) -> bool:
    """Say whether a plugin reads something, or cannot be asked."""
    if info.kind != "backbone" or reads is None:
        return True
    try:
        return not _differ(info.reads or getattr(info.load(), "modality", ""), reads)
    except ImportError:
        return True


def _differ(reads: str, wanted: str | None) -> bool:
    return bool(reads) and wanted is not None and reads != wanted
