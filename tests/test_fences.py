"""What the house promises about itself: no circles, no names outside their rooms, no probing."""

from __future__ import annotations

import ast
import re
import sys
import threading
from importlib.util import resolve_name
from pathlib import Path

import pytest

import sktransfer
from sktransfer.contracts.registry import available

PACKAGE = Path(sktransfer.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
MAX_PARAMETERS = 8
# A function or class that is named by a string.
PATH = r"sktransfer(\.\w+)+:\w+"


def module_of(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}


def innermost(name):
    """Give the module that a dotted name is, or is defined in."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def imports_of(file):
    """Give all modules of ours that a file names: anywhere, for types, and in strings."""
    module = module_of(file)
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    named = set()
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            named |= {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and re.fullmatch(PATH, str(node.value)):
            named.add(node.value.partition(":")[0])
    ours = {innermost(name) for name in named if name.partition(".")[0] == "sktransfer"}
    # The package itself only names what users import from it; nothing of ours imports it.
    return ours - {module, "", "sktransfer"}


def circles(graph):
    """Give the groups of modules that reach one another."""
    reach = {module: set(others) for module, others in graph.items()}
    changed = True
    while changed:
        changed = False
        for found in reach.values():
            more = set().union(*(reach[other] for other in found)) - found
            if more:
                found |= more
                changed = True
    return sorted(module for module, found in reach.items() if module in found)


def test_no_module_imports_itself_by_way_of_others():
    assert not circles({module_of(file): imports_of(file) for file in FILES})


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]


def test_no_modality_is_named_outside_its_room():
    names = {info.name for info in available("modality")} & {"image", "text"}
    assert names == {"image", "text"}
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} names {node.value!r}"
        for file in FILES
        if not {"modalities", "images"} & set(file.relative_to(PACKAGE).parts)
        # The first format knew of one augmentation, and did not name it.
        and file != PACKAGE / "persistence" / "codec.py"
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.Constant) and node.value in names and not is_default(file, node)
    ]
    assert not wrong


def is_default(file, node):
    """Tell a class that says what it reads itself, as every plugin does."""
    return any(
        isinstance(statement, ast.AnnAssign)
        and getattr(statement.target, "id", "") == "modality"
        and statement.value is node
        for statement in ast.walk(TREES[file])
    )


@pytest.mark.parametrize("file", [f for f in FILES if "training" in f.parts], ids=lambda f: f.stem)
def test_functions_of_the_training_room_have_few_parameters(file):
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            own = [a.arg for a in arguments if a.arg not in ("self", "cls")]
            assert len(own) <= MAX_PARAMETERS, f"{node.name} has {len(own)} parameters: {own}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_abilities_of_encoders_are_not_probed(file):
    if "testing" in file.parts:
        return  # the kit finds out what is missing
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("hasattr", "getattr"):
            what = ast.unparse(node.args[0])
            probes = ast.unparse(node.func) == "hasattr" or len(node.args) == 3
            assert not (probes and re.search(r"\bencoder\b", what)), f"line {node.lineno}: {what}"


def test_plugins_that_are_built_in_are_not_told_apart_by_their_class():
    classes = {
        info.factory().__name__
        for kind in ("freeze", "head", "modality", "alignment", "regulariser")
        for info in available(kind)
        if info.distribution == "sktransfer"
    }
    assert {"Frozen", "LinearHead", "TextModality"} <= classes
    rooms = {"freezing", "heads", "modalities", "backbones", "images"}
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in FILES
        if not rooms & set(file.relative_to(PACKAGE).parts)
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("isinstance", "issubclass")
        and {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)} & classes
    ]
    assert not wrong


# --- the walk of X and y ------------------------------------------------------------------------


def walk():
    """Trace the files whose functions run in a fit and a prediction."""
    files = []

    def note(frame, event, arg):
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(str(PACKAGE)) and "<" not in frame.f_code.co_name:
            path = str(Path(name).relative_to(PACKAGE))
            if path not in files:
                files.append(path)

    clf = sktransfer.TransferTextClassifier(
        "minilm", freeze="full", max_epochs=1, random_state=0, device="cpu"
    )
    X, y = ["a good film", "a bad film"] * 10, [1, 0] * 10
    clf.fit(X, y).predict_proba(X[:2])  # so that what imports run is not noted
    before = sys.getprofile()
    sys.setprofile(note)
    threading.setprofile(note)
    try:
        clf.fit(X, y).predict_proba(X[:2])
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return files


@pytest.mark.weights("minilm")
def test_the_page_about_the_architecture_lists_the_files_that_a_fit_goes_through():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("<!-- walk -->")[2].partition("<!-- end of walk -->")[0]
    listed = re.findall(r"`(\w+(?:/\w+)*\.py)`", table)
    found = walk()
    assert sorted(set(listed)) == sorted(found)
    assert len(found) <= 47
