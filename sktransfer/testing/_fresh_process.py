"""Use a plugin in a new interpreter, where nothing has been imported yet."""

from __future__ import annotations

import base64
import importlib
import importlib.util
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from sktransfer.plugins import FreezeStrategy, Plugin
from sktransfer.testing._check import Broken

_CHILD = """
import json, sys
request = json.loads(sys.stdin.read())
sys.path[:] = request["path"]
from sktransfer.testing import _fresh_process
print("\\n" + json.dumps(_fresh_process.answer(request)))
"""


_FIRST_USES: dict[type, dict[str, Any] | None] = {}


def first_use(plugin: Plugin) -> dict[str, Any] | None:
    """Find out what the first use of a plugin's class imports; asked once for each class."""
    cls = type(plugin)
    if cls not in _FIRST_USES:
        # Strategies are asked for their plans, too: they do without torch throughout.
        plans = isinstance(plugin, FreezeStrategy)
        task = "sktransfer.testing._planning:use_all" if plans else None
        _FIRST_USES[cls] = ask_fresh_process(plugin, task)
    return _FIRST_USES[cls]


def ask_fresh_process(
    plugin: Plugin, task: str | None = None, *, environment: dict[str, str] | None = None
) -> dict[str, Any] | None:
    """Import, build and use a plugin in a new interpreter.

    Parameters
    ----------
    plugin : Plugin
        Its class and parameters travel.
    task : str or None, default=None
        ``"module:function"``; gets the plugin and gives something that JSON can hold.
    environment : dict of str to str or None, default=None
        Environment variables to set on top of ours.

    Returns
    -------
    answer : dict or None
        None if no other process can find the class: a notebook has no file, and a script would be
        run a second time.
        ``torch_after_import``, ``torch_after_constructor`` and ``torch_after_task`` say whether
        torch was loaded by then; ``result`` is what the task gave.
    """
    cls = type(plugin)
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if cls.__module__ == "__main__" or not file or not Path(file).is_file():
        return None
    request = {
        "path": sys.path,
        "module": cls.__module__,
        "file": str(Path(file).resolve()),
        "plugin": base64.b64encode(pickle.dumps(plugin)).decode(),
        "task": task,
    }
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    if done.returncode:
        raise Broken(
            f"an error when a new process imports and uses {cls.__module__}.{cls.__name__}; make "
            f"the module importable on its own:\n{done.stderr[-2000:]}"
        )
    # The plugin may have printed something of its own; the answer is the last line.
    return json.loads(done.stdout.splitlines()[-1])


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what `ask_fresh_process` asked for; runs in the new interpreter."""
    _import_as(request["module"], Path(request["file"]))
    after_import = "torch" in sys.modules
    plugin = pickle.loads(base64.b64decode(request["plugin"]))
    # Unpickling does not run the constructor.
    plugin = type(plugin)(**plugin.get_params(deep=False))
    after_constructor = "torch" in sys.modules
    result = None
    if request["task"]:
        module, _, name = request["task"].partition(":")
        result = getattr(importlib.import_module(module), name)(plugin)
    return {
        "torch_after_import": after_import,
        "torch_after_constructor": after_constructor,
        "torch_after_task": "torch" in sys.modules,
        "result": result,
    }


def _import_as(name: str, file: Path) -> None:
    """Import a module under the name that pickles know it by.

    Test files are often imported under names that are not on the path, so the file decides.
    """
    if name != "__main__":
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not f"{name}.".startswith(f"{error.name}."):
                raise
        else:
            if module.__file__ and Path(module.__file__).resolve() == file:
                return
    # A script's own name would start it; the alias keeps `if __name__ == "__main__"` asleep.
    spec = importlib.util.spec_from_file_location(
        "__mp_main__" if name == "__main__" else name, file
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = sys.modules[spec.name] = module
    spec.loader.exec_module(module)
