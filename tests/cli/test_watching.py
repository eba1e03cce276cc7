"""What is said on a terminal, and nowhere else, while something is trained."""

from __future__ import annotations

import contextlib
import os
import pty
import sys
import threading

import pytest

from sktransfer.cli.main import run

QUICK = ("--backbone", "hashing", "--device", "cpu")


@pytest.fixture
def on_a_terminal(monkeypatch):
    """Run a command whose standard error is a terminal; give what is shown there."""

    def shown(*arguments):
        ours, theirs = pty.openpty()
        found = []

        def read():
            # A terminal whose other end is closed cannot be read.
            with contextlib.suppress(OSError):
                while part := os.read(ours, 1 << 16):
                    found.append(part)

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", terminal)
            patch.setenv("TERM", "xterm")
            patch.setenv("COLUMNS", "120")
            with pytest.raises(SystemExit) as stop:
                run([str(each) for each in arguments])
        reader.join()
        os.close(ours)
        assert stop.value.code == 0
        return b"".join(found).decode()

    return shown


def test_a_terminal_shows_the_epoch_of_a_training(tmp_path, data, on_a_terminal):
    more = ("--freeze", "full", "--max-epochs", 3)
    shown = on_a_terminal("train", data, "--model", tmp_path / "model", *QUICK, *more)
    assert "training on 16 rows, epoch 3 of 3" in shown


def test_lines_of_epochs_go_to_the_standard_output_also_beside_a_terminal(
    tmp_path, data, on_a_terminal, capsys
):
    more = ("--freeze", "full", "--max-epochs", 3, "--verbose")
    shown = on_a_terminal("train", data, "--model", tmp_path / "model", *QUICK, *more)
    assert "epoch" not in shown
    assert "train_loss" in capsys.readouterr().out


def test_a_terminal_shows_that_the_best_settings_are_trained(tmp_path, data, on_a_terminal):
    more = ("--freeze", "frozen", "--trials", 2, "--cv", 2)
    shown = on_a_terminal("tune", data, "--model", tmp_path / "model", *QUICK, *more)
    assert "training with the best settings on 16 rows" in shown


def test_a_search_in_several_processes_takes_its_callbacks_along(tmp_path, data, sktransfer):
    more = ("--freeze", "frozen", "--trials", 2, "--cv", 2, "--n-jobs", 2)
    done = sktransfer("tune", data, "--model", tmp_path / "model", *QUICK, *more)
    assert done.exit_code == 0, done.output


def test_nothing_of_it_is_written_into_pipes(tmp_path, data, sktransfer):
    more = ("--freeze", "full", "--max-epochs", 2)
    done = sktransfer("train", data, "--model", tmp_path / "model", *QUICK, *more)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
