"""The rooms of the package, and who may import whom."""

from __future__ import annotations

import ast
import re
from importlib.util import resolve_name
from pathlib import Path

import pytest

import sktransfer

PACKAGE = Path(sktransfer.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
PLUGIN_FILES = sorted(
    file
    for file in (ROOT / "plugins").rglob("*.py")
    if not {"build", ".venv", "node_modules"} & set(file.parts)
)

# A room imports from rooms that stand below it, and from itself.
FLOORS = [
    {"plugins"},  # what plugin authors import: names of the rooms below
    {"cli"},
    {"tuning", "inspection"},
    {"estimators"},
    {"serving", "persistence"},
    {"training"},
    {"tasks", "modalities"},
    {"features", "backbones", "freezing", "heads"},
    {"datasets"},
    {"images"},
    {"contracts"},
    {"weights"},
    {"_artifacts"},
    {"_suggestions", "_warnings"},
    {"_compat"},
]
# Beside the house: used by none of the rooms above, and knows only the contracts.
ALONE = {"testing": {"plugins"}}
OPTIONAL = {"optuna", "pandas", "pyarrow", "polars", "peft", "captum", "matplotlib"}
# Imported inside functions alone, so that they may name an optional library at the top.
DEFERRED = {"sktransfer._compat.optuna"} | {
    f"sktransfer.tuning.{name}"
    for name in (
        "_fold",
        "_log_level",
        "_loop",
        "_pruning",
        "_results",
        "_retries",
        "_sampling",
        "_start",
        "_stop",
        "_study",
    )
}
MAX_LINES = 400


def room_of(module):
    """Give the first part below the package; empty for the package itself."""
    first = module.removeprefix("sktransfer").removeprefix(".").partition(".")[0]
    # A public name is imported from the package, and lives in a room.
    if first in sktransfer._PUBLIC:
        return room_of(sktransfer._PUBLIC[first])
    return "" if first.startswith("__") else first


def module_of(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file):
    """Yield (line, module, whether at import time) of everything that a file imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = module_of(file) if file.name == "__init__.py" else module_of(file).rpartition(".")[0]

    def visit(node, now):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, now
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                # What is imported may be a module of its own: from sktransfer import weights.
                yield node.lineno, f"{base}.{alias.name}", now
        elif isinstance(node, ast.Call) and node.args and is_import_call(node.func):
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value, now
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in [*node.body, *node.orelse]:
                yield from visit(child, child in node.orelse and now)
            return
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, now and not function)

    yield from visit(tree, True)


def is_import_call(function):
    return ast.unparse(function).rpartition(".")[2].lstrip("_") in ("import_module", "import__")


def floor_of(room):
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), None)


def may_import(room, other):
    """Say whether one room may import another; the registry's strings are no imports."""
    if room in ("", other) or other == "":
        return True
    if room in ALONE:
        return other in ALONE[room]
    if other in ALONE or floor_of(other) is None:
        return False
    return floor_of(other) > floor_of(room)


def test_there_is_something_to_check():
    assert len(FILES) > 30
    assert PLUGIN_FILES
    rooms = {room_of(module_of(file)) for file in FILES} - {""}
    assert {"estimators", "training", "features", "persistence", "testing"} <= rooms


def test_every_room_has_its_place():
    rooms = {room_of(module_of(file)) for file in FILES} - {""}
    unknown = {room for room in rooms if floor_of(room) is None and room not in ALONE}
    assert not unknown, f"{unknown} has no floor: say in FLOORS whom it may import"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_pages_about_the_house_list_every_room_in_its_order(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    cells = re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \|", text, re.MULTILINE)
    names = [name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)]
    listed = [name.removesuffix(".py") for name in names]
    assert set(listed) == {room for floor in FLOORS for room in floor} | ALONE.keys()
    floors = [floor_of(room) for room in listed if room not in ALONE]
    assert floors == sorted(floors)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_room_imports_upwards(file):
    room = room_of(module_of(file))
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {module}"
        for line, module, _ in imports(file)
        if module.partition(".")[0] == "sktransfer" and not may_import(room, room_of(module))
    ]
    assert not wrong


@pytest.mark.parametrize("file", PLUGIN_FILES, ids=lambda file: file.name)
def test_plugins_import_the_contracts_and_in_their_tests_the_kit(file):
    allowed = {"plugins", "testing", ""} if "tests" in file.parts else {"plugins"}
    wrong = [
        f"{file.name}:{line} imports {module}"
        for line, module, _ in plugin_imports(file)
        if module.partition(".")[0] == "sktransfer" and room_of(module) not in allowed
    ]
    assert not wrong


def plugin_imports(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, True) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, node.module, True


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_optional_libraries_are_imported_where_they_are_used(file):
    if module_of(file) in DEFERRED:
        return
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {module} at the top"
        for line, module, now in imports(file)
        if now
        and (module.partition(".")[0] in OPTIONAL or {module, module.rpartition(".")[0]} & DEFERRED)
    ]
    assert not wrong


@pytest.mark.parametrize(
    "file", [*FILES, *PLUGIN_FILES], ids=lambda file: str(file.relative_to(ROOT))
)
def test_files_are_short_enough_to_read(file):
    n_lines = len(file.read_text(encoding="utf-8").splitlines())
    assert n_lines <= MAX_LINES, f"{n_lines} lines; at most {MAX_LINES}"


def test_no_file_is_named_after_nothing():
    vague = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    assert not [file for file in [*FILES, *PLUGIN_FILES] if file.stem.lstrip("_") in vague]


# What the tests below look for: libraries, and private attributes of their objects.
LIBRARIES = {"sklearn", "optuna", "skorch", "torch", "transformers", "joblib", "numpy", "scipy"}
LIBRARIES |= {"huggingface_hub", "tokenizers", "PIL", "onnxruntime", "pandas", "polars"}
PRIVATE_ATTRIBUTES = {
    # optuna
    "_backend",
    "_contains",
    "_storage",
    "_study_id",
    "_suggest",
    "_trial_id",
    # scikit-learn
    "_check_refit_for_multimetric",
    "_format_results",
    "_get_routed_params_for_fit",
    "_get_scorers",
    "_init_callback_context",
    "_scorers",
    "_select_best_index",
    "_skl_callbacks",
    # torch and skorch
    "_buffers",
    "_default_callbacks",
    "_modules",
    "_parameters",
}


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def private_uses(source):
    """Yield (line, name) of each private name of another library that a file uses."""
    tree = ast.parse(source)
    libraries = set()
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
            libraries |= {a.asname or a.name.partition(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            libraries |= {a.asname or a.name for a in node.names if a.name[0].islower()}
        for module in modules:
            first, *rest = module.split(".")
            if first in LIBRARIES and any(map(is_private, rest)):
                yield node.lineno, module
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            of_library = isinstance(root, ast.Name) and root.id in libraries & LIBRARIES
            if of_library or node.attr in PRIVATE_ATTRIBUTES:
                yield node.lineno, node.attr


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_private_names_of_other_libraries_are_used_in_compat_alone(file):
    if room_of(module_of(file)) == "_compat":
        return
    assert not list(private_uses(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        "from sklearn.utils._param_validation import Interval",
        "from sklearn.utils import _safe_indexing",
        "import torch._dynamo",
        "import torch\ntorch._foreach_add_(a, b)",
        "def f(study):\n    return study._storage",
        "class A(Net):\n    def f(self):\n        return super()._default_callbacks",
    ],
)
def test_private_names_are_found_wherever_they_stand(source):
    assert list(private_uses(source))


def test_private_names_of_ones_own_are_none_of_another_library():
    assert not list(private_uses("import torch\nself._module = torch.nn.Linear(1, 1)\na._own"))


# --- the checks themselves ----------------------------------------------------------------------


def test_imports_are_found_wherever_they_stand(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "sktransfer" / "features" / "deep.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import optuna\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "try:\n    import polars\nexcept ImportError:\n    pass\n"
        "class A:\n    from ..training import loop\n"
        "def f():\n    from sktransfer.persistence.estimators import load\n"
        "    import_module('sktransfer.cli')\n"
    )
    found = {module: now for _, module, now in imports(file)}
    assert found["optuna"]
    assert found["polars"]
    assert not found["pandas"]
    assert found["sktransfer.training.loop"]
    assert not found["sktransfer.persistence.estimators.load"]
    assert not found["sktransfer.cli"]
    upwards = [
        m for m in found if m.startswith("sktransfer") and not may_import("features", room_of(m))
    ]
    assert len(upwards) == 3
