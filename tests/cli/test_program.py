"""What holds for all commands: exit codes, errors, speed of the help."""

import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points

import pytest

from sktransfer import __version__
from sktransfer.cli import errors
from sktransfer.cli.main import run
from sktransfer.training.errors import TrainingDivergedError

HELP_IMPORTS = """
import sys
from sktransfer.cli.main import run
try:
    run({arguments!r})
except SystemExit as stop:
    assert stop.code == 0, stop.code
heavy = {heavy!r}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def program(*arguments, **options):
    command = [sys.executable, "-m", "sktransfer.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


VERY_HEAVY = {"torch", "transformers", "skorch", "optuna"}
HEAVY = VERY_HEAVY | {"sklearn", "numpy", "scipy", "pandas", "pyarrow"}


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], HEAVY),
        (["--version"], HEAVY),
        *(([c, "--help"], HEAVY) for c in ("demo", "weights")),
        # These list the options of modalities, which are parameter objects of scikit-learn.
        *(([c, "--help"], VERY_HEAVY) for c in ("train", "predict", "evaluate", "tune")),
    ],
)
def test_help_imports_nothing_heavy(arguments, heavy):
    code = HELP_IMPORTS.format(arguments=arguments, heavy=heavy)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout
    assert done.stderr.strip() == "[]"


def test_the_entry_point_is_this_program():
    (point,) = entry_points(group="console_scripts", name="sktransfer")
    assert point.load() is run


def test_help_and_version(sktransfer):
    done = sktransfer("--help")
    assert done.exit_code == 0
    for command in ("demo", "train", "predict", "evaluate", "plugins", "weights"):
        assert command in done.stdout
        assert sktransfer(command, "--help").exit_code == 0
    assert sktransfer("--version").stdout == f"sktransfer {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["tran"],
        ["--nonsense"],
        ["train"],
        ["train", "a.csv"],
        ["train", "a.csv", "--model", "m", "--max-epochs", "many"],
        ["train", "a.csv", "--model", "m", "--lr", "low"],
        ["train", "a.csv", "--model", "m", "--batch-size", "0"],
        ["predict", "m"],
        ["evaluate", "m", "a.csv", "b.csv"],
        ["demo", "--seeds", "0"],
    ],
    ids=" ".join,
)
def test_usage_errors_exit_with_2(sktransfer, arguments):
    done = sktransfer(*arguments)
    assert done.exit_code == 2
    assert "Usage: sktransfer" in done.output
    assert "Traceback" not in done.output


def test_an_error_in_a_process_of_its_own(tmp_path):
    done = program("evaluate", tmp_path / "m", tmp_path / "none.csv")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"error: {tmp_path / 'none.csv'}: No such file or directory\n"


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_debug_shows_the_traceback_wherever_it_stands(tmp_path, sktransfer, place):
    arguments = ["evaluate", tmp_path / "m", tmp_path / "none.csv"]
    arguments.insert(place, "--debug")
    done = sktransfer(*arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_what_follows_two_dashes_is_no_option(sktransfer, error_of):
    assert "--debug: No such file" not in error_of(sktransfer("evaluate", "--", "m", "--debug"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (TypeError("no text"), "no text"),
        (KeyError("label"), "label"),
        (ImportError("no module"), "no module"),
        (OSError("gone"), "gone"),
        (PermissionError(13, "Permission denied", "a.csv"), "a.csv: Permission denied"),
        (TrainingDivergedError("loss is nan"), "loss is nan"),
        (ValueError(), "ValueError"),
    ],
)
def test_every_user_error_is_one_sentence(sktransfer, error_of, monkeypatch, error, message):
    def fail(path, columns):
        raise error

    monkeypatch.setattr("sktransfer.cli.evaluate.read_labelled", fail)
    assert error_of(sktransfer("evaluate", "m", "a.csv")) == message


def test_a_defect_of_ours_is_not_hidden(sktransfer, monkeypatch):
    def fail(path, columns):
        raise ZeroDivisionError

    monkeypatch.setattr("sktransfer.cli.evaluate.read_labelled", fail)
    assert isinstance(sktransfer("evaluate", "m", "a.csv").exception, ZeroDivisionError)


def test_interrupting(sktransfer, monkeypatch):
    def interrupt(path, columns):
        raise KeyboardInterrupt

    monkeypatch.setattr("sktransfer.cli.evaluate.read_labelled", interrupt)
    done = sktransfer("evaluate", "m", "a.csv")
    assert done.exit_code == 130
    assert done.stderr == "interrupted.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_interrupting_a_process(tmp_path):
    # What a shell runs in the background is told to ignore interrupts, and tells its children.
    code = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import sktransfer.cli.evaluate as evaluate
from sktransfer.cli.main import run
def wait(path, columns):
    print("ready", flush=True)
    time.sleep(60)
evaluate.read_labelled = wait
run(["evaluate", "m", "a.csv"])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "interrupted.\n"


def test_warnings_are_one_line_and_the_filters_survive(sktransfer, monkeypatch):
    import warnings

    before = warnings.showwarning

    def warn(path, columns):
        warnings.warn("some\nthing", UserWarning, stacklevel=1)
        raise ValueError("done")

    monkeypatch.setattr("sktransfer.cli.evaluate.read_labelled", warn)
    assert sktransfer("evaluate", "m", "a.csv").stderr == "warning: some thing\nerror: done\n"
    assert warnings.showwarning is before


def test_sentence_of_errors_without_words():
    assert errors.sentence(KeyError()) == "KeyError"
    assert errors.sentence(OSError(28, "No space left on device")) == (
        "[Errno 28] No space left on device"
    )


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_that_is_named_by_an_option_is_answered_with_where_it_stands(sktransfer, command):
    done = sktransfer(command, "--model", "m", "data.csv")
    assert done.exit_code == 2
    assert f"sktransfer {command} MODEL_DIR DATA" in " ".join(done.stderr.replace("│", "").split())
