"""Errors about unknown names: which name was meant, and which plugin has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sktransfer._suggestions import nearest, of_plugin

# Plugins of this repository, for who lacks them: group of entry points, distribution, names.
PLUGIN_CATALOGUE: dict[str, dict[str, tuple[str, ...]]] = {
    "sktransfer.backbones.text": {
        "sktransfer-example": ("letters",),
        "sktransfer-wordvectors": ("bilstm", "conv1d", "fasttext", "gru", "textcnn"),
    },
    "sktransfer.backbones.image": {
        "sktransfer-vision": (
            "efficientnet-lite0",
            "efficientnet-lite1",
            "efficientnet-lite2",
            "image-transformer",
            "vgg16",
        ),
    },
}


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


def known_plugins(kind: str) -> dict[str, PluginHint]:
    """List the plugins of a kind that this repository has.

    Parameters
    ----------
    kind : str
        Such as ``"backbone"``.

    Returns
    -------
    hints : dict of str to PluginHint
        By name.
    """
    return {
        name: PluginHint(distribution, group.split(".", 2)[2] if group.count(".") == 2 else "")
        for group, distributions in PLUGIN_CATALOGUE.items()
        if group.split(".")[1].startswith(kind)
        for distribution, names in distributions.items()
        for name in names
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
    known = known_plugins(kind).get(name)
    return "" if known is None else of_plugin(known.distribution)


def unknown_name(
    kind: str, name: str, installed: Sequence[Any], wanted: tuple[str, str] | None
) -> str:
    """Say that nobody has registered a name, and what to type instead.

    Parameters
    ----------
    kind : str
        What the name was given for.
    name : str
        What was typed.
    installed : sequence of PluginInfo
        All of the kind that have a name of their own.
    wanted : tuple of (str, str) or None
        Name and plural of the modality that a backbone has to read; None is any. A backbone whose
        modality is not known is imported, which an error may take the time for.

    Returns
    -------
    message : str
    """
    modality, plural = wanted or ("", "")
    names = [info.name for info in installed if _may_read(info, modality)]
    message = f"There is no {kind} named {name!r}."
    hints = known_plugins(kind)
    hint = hints.get(name)
    if hint is not None and _differ(hint.modality, modality):
        message += (
            f" The plugin {hint.distribution} has it, but it reads inputs of the modality "
            f"{hint.modality!r}, not {plural}."
        )
    elif hint is not None:
        message += f" {of_plugin(hint.distribution)}"
    else:
        others = [
            other
            for other, known in hints.items()
            if not _differ(known.modality, modality) and other not in names
        ]
        near = nearest(name, [*names, *others])
        if near is not None:
            message += f" Did you mean {near!r}?"
            message += f" {of_plugin(hints[near].distribution)}" if near in others else ""
    message += f" Installed: {', '.join(names) or 'none'}."
    if not names:
        message += " Install a distribution that brings one, or pass a parameter object: "
        message += f"{kind}=MyClass()."
    if kind == "backbone":
        message += (
            " A model of the hub is written 'owner/name'; a folder as pathlib.Path(...) or './...'."
        )
    return message


def _may_read(info: Any, modality: str) -> bool:
    """Say whether a plugin reads a modality, or cannot be asked."""
    if info.kind != "backbone" or not modality:
        return True
    try:
        return not _differ(info.modality or info.load().modality, modality)
    except ImportError:
        return True


def _differ(modality: str, wanted: str) -> bool:
    return bool(modality) and bool(wanted) and modality != wanted
