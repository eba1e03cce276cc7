"""Options that installed modalities add to commands: columns, folders and parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from sktransfer.cli.table import is_table

if TYPE_CHECKING:
    from sktransfer.contracts import Modality
    from sktransfer.contracts.shell import ShellOption

__all__ = [
    "DataCommand",
    "MeasuringCommand",
    "TrainingCommand",
    "folder_of",
    "form_of",
    "forms_of",
    "table_of",
]


def table_of(modality: type[Modality]) -> str:
    """Name a table of inputs, for messages."""
    return f"a table of {modality.plural}"


def folder_of(modality: type[Modality]) -> str:
    """Name a folder of inputs, for messages."""
    return f"a folder of {modality.plural}"


def forms_of(modality: type[Modality]) -> tuple[str, ...]:
    """Name all forms of data: a table, and for inputs in files also a folder or a file."""
    if not modality.suffixes:
        return (table_of(modality),)
    return table_of(modality), folder_of(modality), modality.formats().one


def form_of(data: Path, modality: type[Modality]) -> str:
    """Name the form of data: a table, a folder or a file."""
    if data.is_dir():
        return folder_of(modality)
    return table_of(modality) if is_table(data) else modality.formats().one


class DataCommand(TyperCommand):
    """A command that reads inputs, with options of all installed modalities.

    Modalities are imported when the command is used or asked for its help, not before. The values
    of their options are in ``obj`` of the context.
    """

    # Whether columns are those of a model, unless others are named.
    of_model = True
    _added: list[Any] | None = None

    def get_params(self, ctx: Any) -> list[Any]:
        """Give own parameters and those of the modalities."""
        own = super().get_params(ctx)
        if self._added is None:
            from sktransfer.contracts.registry import modality_classes

            modalities = modality_classes()
            # An option of the command itself is never replaced by one of a plugin.
            taken = {name for each in own for name in (each.name, *each.opts)}
            added = _options(self._of_modalities(modalities))
            self._added = [each for each in added if not taken & {each.name, *each.opts}]
            defaults = "; ".join(f"{m.default_backbone} for {m.plural}" for m in modalities)
            for each in own:
                if each.name == "backbone":
                    each.show_default = defaults  # type: ignore[attr-defined]
        # The last of the own parameters is --help.
        return [*own[:-1], *self._added, own[-1]]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Tell whoever names the model by an option, as `train` does, that it comes first."""
        options = {option for each in super().get_params(ctx) for option in each.opts}
        if "--model" in args and "--model" not in options:
            raise typer.BadParameter(
                f"the model comes first and needs no option: sktransfer {ctx.info_name} MODEL_DIR "
                "DATA",
                param_hint="--model",
            )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Keep the values of the modalities' options apart, and run the command."""
        ctx.obj = {each.name: ctx.params.pop(each.name) for each in self._added or ()}
        return super().invoke(ctx)

    def _of_modalities(self, modalities: list[type[Modality]]) -> Iterator[inspect.Parameter]:
        for modality in modalities:
            yield from _columns(modality, self.of_model)
            for option in modality.options:
                if self.takes(modality, option):
                    yield _parameter(modality, option)

    def takes(self, modality: type[Modality], option: ShellOption) -> bool:
        """Tell whether the command has an option of a modality."""
        return False


class MeasuringCommand(DataCommand):
    """A command that reads inputs with labels, of which bad ones may be left out."""

    def takes(self, modality: type[Modality], option: ShellOption) -> bool:
        """Take the options about inputs that cannot be read."""
        return option.parameter in modality.lenient


class TrainingCommand(DataCommand):
    """A command that makes an estimator."""

    of_model = False

    def takes(self, modality: type[Modality], option: ShellOption) -> bool:
        """Take all parameters."""
        return True


def _columns(modality: type[Modality], of_model: bool) -> Iterator[inspect.Parameter]:
    name, plural, flag = modality.name, modality.plural, f"--{modality.name}"
    option = partial(typer.Option, rich_help_panel=f"Options for {plural}")
    if not modality.suffixes:
        text = f"Column of a table's {plural}."
        default = f"the one that the model was trained on, or {name}" if of_model else name
        about = option(flag, metavar="COLUMN", help=text, show_default=default)
        yield _keyword(name, Annotated[str | None, about], None)
        return
    about = option(flag, metavar="COLUMN", help=f"Column of paths; makes a table one of {plural}.")
    yield _keyword(name, Annotated[str | None, about], None)
    about = option(
        f"{flag}-folder",
        metavar="FOLDER",
        exists=True,
        file_okay=False,
        help=f"What the paths of {flag} are relative to.",
        show_default="the folder of the table",
    )
    yield _keyword(f"{name}_folder", Annotated[Path | None, about], None)


def _parameter(modality: type[Modality], option: ShellOption) -> inspect.Parameter:
    about = typer.Option(
        option.typed,
        help=option.help,
        min=option.minimum,
        show_default=option.shown_default or True,
        rich_help_panel=f"Options for {modality.plural}",
    )
    if option.make is not None:
        return _keyword(option.parameter, Annotated[bool, about], False)
    kind: Any = Literal[option.type] if isinstance(option.type, tuple) else option.type
    if option.default is None:
        kind = kind | None
    return _keyword(option.parameter, Annotated[kind, about], option.default)


def _keyword(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _options(parameters: Iterator[inspect.Parameter]) -> list[Any]:
    """Turn parameters of a function into options, as typer does."""

    def command(**_: Any) -> None: ...

    # A parameter that several modalities declare becomes one option, that of the first.
    unique = {each.name: each for each in reversed(list(parameters))}
    ordered = list(reversed(unique.values()))
    command.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in ordered}
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return list(typer.main.get_command(app).params)
