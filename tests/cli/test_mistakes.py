"""What newcomers type: each mistake is answered by a name or a number, without importing torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ROWS = "a fine day,good\na bad day,bad\n" * 8
TABLES = {
    "good.csv": f"text,label\n{ROWS}",
    "empty.csv": "",
    "header.csv": "text,label\n",
    "blank.csv": "text,label\na,good\nb,\nc,good\n",
    "semicolons.csv": "text;label\na fine day;good\n",
    "open.csv": 'text,label\na,good\n"b,bad\nc,bad\n',
    "sorted.csv": "text,label\n" + "".join(f"text {i},negative\n" for i in range(400)),
    "stars.csv": "text,label\n" + "".join(f"text {i},{i % 50}\n" for i in range(200)),
    "headless.csv": "a fine day,good\na bad day,bad\n",
    "ids.csv": "text,label\n" + "".join(f"text {i},id {i}\n" for i in range(12)),
    "bytes.csv": "text,label\na,caf\xe9\n".encode("cp1252"),
    "excel.csv": b"PK\x03\x04\x14\x00\x06\x00",
    "texts.txt": "text,label\na,b\n",
    "note": "no model",
}
MODEL = ("--model", "new")
TRAIN = ("train", "good.csv", *MODEL)
# Arguments, the exit code, and what has to be said.
MISTAKES = {
    "wrong column of texts": ((*TRAIN, "--text", "txet"), 1, "'txet'", "'text'"),
    "wrong column of labels": ((*TRAIN, "--label", "lable"), 1, "'lable'", "'label'"),
    "option misspelled": ((*TRAIN, "--frezze", "full"), 2, "--frezze", "--freeze"),
    "empty table": (("train", "empty.csv", *MODEL), 1, "empty.csv", "is empty"),
    "header alone": (("train", "header.csv", *MODEL), 1, "header.csv", "no rows"),
    "missing label": (("train", "blank.csv", *MODEL), 1, "'label' in 1 of 3", "row 2 (line 3)"),
    "other separator": (("train", "semicolons.csv", *MODEL, "--sep", ","), 1, "--sep ';'"),
    "parts as classes": (("train", "parts", *MODEL), 1, "'test', 'train'", "parts/train"),
    "one class": (("train", "sorted.csv", *MODEL), 1, "one class, 'negative', in all 400 rows"),
    "stars": (("train", "stars.csv", *MODEL), 1, "50", "--task regression"),
    "a label a row": (("train", "ids.csv", *MODEL), 1, "12 rows", "--label"),
    "no header": (("train", "headless.csv", *MODEL), 1, "'a fine day', 'good'", "--text COLUMN"),
    "quote not closed": (("train", "open.csv", *MODEL), 1, "open.csv", "quotation mark"),
    "really Excel": (("train", "excel.csv", *MODEL), 1, "excel.csv", ".xlsx"),
    "other encoding": (("train", "bytes.csv", *MODEL), 1, "--encoding cp1252"),
    "unknown encoding": ((*TRAIN, "--encoding", "utf9"), 1, "utf9"),
    "no suffix of a table": (("train", "texts.txt", *MODEL), 1, "texts.txt", "*.csv"),
    "no such table": (("train", "none.csv", *MODEL), 1, "none.csv"),
    "URL": (("train", "https://a.org/b.csv", *MODEL), 1, "download it"),
    "one column for both": (
        (*TRAIN, "--text", "label"), 1, "'label' as texts and as labels",
    ),
    "several labels of one": (
        (*TRAIN, "--label-sep", "|", "--task", "classification"),
        2, "--label-sep", "--task classification",
    ),
    "no separator": ((*TRAIN, "--label-sep", ""), 2, "--label-sep"),
    "no threads": ((*TRAIN, "--threads", "0"), 2, "--threads"),
    "negative length": ((*TRAIN, "--max-length", "-1"), 2, "--max-length", "1"),
    "negative share": ((*TRAIN, "--hold-out", "-0.2"), 2, "--hold-out", "-0.2"),
    "no names of parts": ((*TRAIN, "--split", "label"), 1, "'good' (8)", "'bad' (8)"),
    "folder that exists": (("train", "good.csv", "--model", "parts"), 1, "parts exists"),
    "folder that does not": (("train", "good.csv", "--model", "no/new"), 1, "no folder no"),
    "file as a source": ((*TRAIN, "--source", "note"), 1, "note is a file"),
    "model last": (("predict", "good.csv", "model"), 1, "good.csv", "the model comes first"),
    "no model": (("predict", "parts", "good.csv"), 1, "parts", "manifest.json"),
    "column of a prediction": (("predict", "model", "good.csv", "--text", "txet"), 1, "'txet'"),
    "column of a measurement": (
        ("evaluate", "model", "good.csv", "--label", "lable"), 1, "'lable'",
    ),
    "label of a measurement": (("evaluate", "model", "blank.csv"), 1, "row 2 (line 3)"),
    "column that is taken": (("predict", "model", "taken.csv"), 1, "'prediction'"),
    "folder as an output": (
        ("predict", "model", "good.csv", "--output", "out.csv"), 1, "out.csv is a folder",
    ),
    "input as an output": (
        ("predict", "model", "good.csv", "--output", "good.csv"), 1, "never overwritten",
    ),
    "texts for a model of images": (
        ("predict", "of_images", "good.csv"), 1, "TransferImageClassifier", "--image COLUMN",
    ),
}  # fmt: skip
CODE = """
import json, sys
from typer.testing import CliRunner
from sktransfer.cli.main import app
answers = {}
for name, arguments in json.load(sys.stdin).items():
    before = "torch" in sys.modules
    done = CliRunner().invoke(app, arguments, prog_name="sktransfer")
    said = " ".join(done.stderr.replace("│", " ").split())
    answers[name] = (done.exit_code, done.stdout, said, before, "torch" in sys.modules)
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory, trained, of_images, draw_folder):
    """Make all mistakes in one process; give exit code, output, errors, and whether torch is in."""
    pytest.importorskip("sktransfer_vision", reason="pip install ./plugins/sktransfer-vision")
    folder = tmp_path_factory.mktemp("mistakes")
    for name, content in TABLES.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "taken.csv").write_text("text,prediction\na,b\n")
    for part in ("train", "test"):
        draw_folder(folder / "parts" / part, n=2)
    (folder / "out.csv").mkdir()
    (folder / "model").symlink_to(trained)
    (folder / "of_images").symlink_to(of_images)
    typed = json.dumps({name: arguments for name, (arguments, *_) in MISTAKES.items()})
    done = subprocess.run(
        [sys.executable, "-c", CODE], input=typed, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not (folder / "new").exists()
    found = json.loads(done.stdout)
    assert not found["wrong column of texts"][3]  # torch was not there from the beginning
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(answers, name):
    _, exit_code, *words = MISTAKES[name]
    code, printed, said, *_ = answers[name]
    assert (code, printed) == (exit_code, "")
    assert "Traceback" not in said
    for word in words:
        assert word in said


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_without_torch(answers, name):
    assert answers[name][3] == answers[name][4]


def test_labels_that_differ_by_blanks_alone_are_named(tmp_path, train_quickly):
    (tmp_path / "a.csv").write_text("text,label\n" + "a,good\nb,good \nc,bad\nd,bad\n" * 3)
    done = train_quickly(tmp_path / "a.csv", tmp_path / "m")
    assert done.exit_code == 0, done.output
    assert "warning: the column 'label' has 'good ' and 'good'" in done.stderr
