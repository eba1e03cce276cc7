"""Errors of commands: one sentence and an exit code; a traceback with ``--debug`` alone."""

from __future__ import annotations

import contextlib
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

__all__ = ["Commands", "sentence"]

_USER_ERRORS = (
    ValueError,
    TypeError,
    OSError,
    ImportError,
    KeyError,
    # Raised by a loss that diverged, by a device without memory, and by JSON nested too deeply.
    RuntimeError,
    MemoryError,
)


class Commands(TyperGroup):
    """The commands, with one way to end for all of them.

    ``--debug`` may stand before or after the name of the command.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move ``--debug`` to where the options of all commands are."""
        end = args.index("--") if "--" in args else len(args)
        if "--debug" in args[:end]:
            args = ["--debug", *(arg for arg in args[:end] if arg != "--debug"), *args[end:]]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command and report what goes wrong."""
        try:
            with _short_warnings():
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads our output has seen enough, as in ``| head``
        except (typer.Exit, typer.Abort):
            raise  # click's own way to end; both are RuntimeErrors
        except _USER_ERRORS as error:
            if ctx.params.get("debug"):
                typer.echo(traceback.format_exc(), err=True, nl=False)
            typer.echo(f"error: {sentence(error)}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            typer.echo("interrupted.", err=True)
            raise typer.Exit(130) from None


def sentence(error: BaseException) -> str:
    """Say what went wrong on one line.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    message : str

    Examples
    --------
    >>> from sktransfer.cli.errors import sentence
    >>> sentence(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'a.csv: No such file or directory'
    >>> sentence(KeyError("label"))
    'label'
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    elif isinstance(error, KeyError) and error.args:
        message = str(error.args[0])  # str() of a KeyError is a repr
    else:
        message = str(error)
    return " ".join(filter(None, map(str.strip, message.splitlines()))) or type(error).__name__


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = sentence(message) if isinstance(message, Warning) else message
        typer.echo(f"warning: {text}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
