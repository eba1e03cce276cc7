"""Small tables, one model that is trained once, and a way to run the program."""

from __future__ import annotations

import csv

import pytest
from typer.testing import CliRunner

from sktransfer.cli.main import app

TEXTS = ["a lovely film", "great fun, all of it", "a dull film", "boring from start to end"] * 4
LABELS = ["good", "good", "bad", "bad"] * 4


def write_rows(path, names, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


@pytest.fixture(scope="session")
def sktransfer():
    """Run a command in this process; give exit code, stdout and stderr."""

    def run(*arguments):
        return CliRunner().invoke(app, [str(each) for each in arguments], prog_name="sktransfer")

    return run


@pytest.fixture(scope="session")
def train_quickly(sktransfer):
    def run(data, model, *more):
        fast = ("--backbone", "hashing", "--freeze", "frozen", "--device", "cpu")
        return sktransfer("train", data, "--model", model, *fast, *more)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory, train_quickly):
    """A model of two labels; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_rows(folder / "data.csv", ["text", "label"], zip(TEXTS, LABELS, strict=True))
    done = train_quickly(data, folder / "model")
    assert done.exit_code == 0, done.output
    return folder / "model"


@pytest.fixture
def data(tmp_path):
    rows = zip(range(len(TEXTS)), TEXTS, LABELS, strict=True)
    return write_rows(tmp_path / "data.csv", ["id", "text", "label"], rows)


@pytest.fixture
def error_of():
    """Give the one sentence of a command that failed."""

    def read(done):
        assert done.exit_code == 1, done.output
        assert done.stdout == ""
        *others, last = done.stderr.splitlines()
        assert not [line for line in others if not line.startswith("warning: ")], done.stderr
        assert last.startswith("error: ")
        return last.removeprefix("error: ")

    return read
