"""Write the section "Parameters" into the docstrings of public estimators.

Each parameter is declared once, in ``sktransfer/estimators/_params.py``, with its default and its
documentation. Run this after a change there::

    python docs/generate_docstrings.py
"""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from string import Template
from typing import Any

import sktransfer
from sktransfer.contracts.parameters import Parameter, parameters_of

WIDTH = 100
INDENT = " " * 4
# Of a section's head, what stands below its title.
RULE = f"{INDENT}----------\n"


def estimators() -> list[type]:
    """List the public classes whose parameters are declared."""
    public = [getattr(sktransfer, name) for name in sktransfer.__all__]
    return [cls for cls in public if "__dataclass_fields__" in getattr(cls, "__dict__", {})]


def words_of(cls: type) -> dict[str, str]:
    """Give the words by which the documentation of a class differs from that of others."""
    words: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        words |= vars(base).get("_doc_words", {})
    return words


def section_of(cls: type) -> str:
    """Write the section of a class."""
    words = words_of(cls)
    entries = [entry(parameter, words) for parameter in parameters_of(cls).values()]
    return f"{INDENT}Parameters\n{RULE}" + "".join(entries)


def entry(parameter: Parameter, words: dict[str, str]) -> str:
    """Write what numpydoc expects of one parameter."""
    text = Template(parameter.doc).substitute(words)
    # A literal is not torn apart.
    text = re.sub(r"``.+?``", lambda match: match[0].replace(" ", "\0"), text)
    indent = INDENT * 2
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    described = "".join(f"{line}\n" for line in lines).replace("\0", " ")
    head = f"{INDENT}{parameter.name} : {parameter.type}, default={literal(parameter.default)}\n"
    return head + described


def literal(default: Any) -> str:
    """Write a default as the code does."""
    return f'"{default}"' if isinstance(default, str) else repr(default)


def updated(cls: type) -> str:
    """Give the source file of a class with the section as it has to be.

    Parameters
    ----------
    cls : type
        Its docstring has a section "Parameters", and another one behind it.

    Returns
    -------
    source : str
    """
    source = Path(inspect.getfile(cls)).read_text(encoding="utf-8")
    start = source.index(f"{INDENT}Parameters\n{RULE}", source.index(f"class {cls.__name__}("))
    end = source.index(f"\n{INDENT}Attributes\n", start)
    return source[:start] + section_of(cls) + source[end:]


if __name__ == "__main__":
    for cls in estimators():
        path = Path(inspect.getfile(cls))
        text = updated(cls)
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            print(f"{path}: written")
