"""A folder is written whole or not at all, and nothing damaged or foreign is read."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sktransfer.persistence import folder as folder_module
from sktransfer.persistence.folder import new_folder, read_manifest, write_manifest

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


SAVE = """
import os, signal, sys
from pathlib import Path
from sktransfer.persistence.folder import new_folder, write_manifest

def save(path, n):
    with new_folder(Path(path)) as folder:
        (folder / "a.bin").write_bytes(bytes([n % 256]) * 50_000)
        (folder / "inner").mkdir()
        (folder / "inner" / "b.txt").write_text(str(n))
        write_manifest(folder, {"n": n})
"""


def save(path, n=1):
    with new_folder(path) as folder:
        (folder / "a.bin").write_bytes(bytes([n % 256]) * 1000)
        (folder / "inner").mkdir()
        (folder / "inner" / "b.txt").write_text(str(n))
        write_manifest(folder, {"n": n})


def child(code, *args):
    """Run code in a new process that has ``save``."""
    return subprocess.Popen(
        [sys.executable, "-c", SAVE + code, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model"
    save(path)
    return path


def rewrite(path, **changes):
    """Change a manifest, as somebody would who also computes the checksum."""
    manifest = json.loads((path / "manifest.json").read_text())
    manifest.update(changes)
    manifest.pop("checksum")
    manifest["checksum"] = folder_module._checksum(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


# --- writing ------------------------------------------------------------------------------------


def test_what_was_written_is_read(saved):
    manifest = read_manifest(saved)
    assert manifest["n"] == 1
    assert sorted(manifest["members"]) == ["a.bin", "inner/b.txt"]


def test_saving_again_replaces_everything(saved, tmp_path):
    (saved / "stray.txt").write_text("of nobody")
    save(saved, 2)
    assert read_manifest(saved)["n"] == 2
    assert sorted(p.name for p in saved.iterdir()) == ["a.bin", "inner", "manifest.json"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_error_while_writing_leaves_the_old_folder_and_nothing_else(saved, tmp_path, error):
    def fail():
        with new_folder(saved) as folder:
            (folder / "a.bin").write_bytes(b"half")
            raise error("in between")

    with pytest.raises(error, match="in between"):
        fail()
    assert read_manifest(saved)["n"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_relative_path_is_meant_from_where_the_save_began(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with new_folder(folder_module.Path("model")) as folder:
        monkeypatch.chdir(tmp_path / "elsewhere")
        write_manifest(folder, {"n": 5})
    assert read_manifest(tmp_path / "model")["n"] == 5


@pytest.mark.parametrize("what", ["file", "empty folder", "folder", "somebody's manifest"])
def test_what_is_not_ours_is_not_replaced(tmp_path, what):
    path = tmp_path / "thesis"
    if what == "file":
        path.write_text("precious")
    else:
        path.mkdir()
    if what in ("folder", "somebody's manifest"):
        (path / "chapter.txt").write_text("precious")
    if what == "somebody's manifest":  # browser extensions and web apps have one
        (path / "manifest.json").write_text('{"name": "my app", "manifest_version": 3}')
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match=r"thesis .*no model that sktransfer saved"):
        save(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_parent_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing"):
        save(tmp_path / "missing" / "model")
    assert not list(tmp_path.iterdir())


def test_saving_over_a_link_leaves_nothing_behind(saved, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(saved)
    save(link, 2)
    assert read_manifest(link)["n"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest", "model"]


def test_a_disk_that_is_full_names_the_path_and_leaves_the_old_folder(tmp_path):
    path = tmp_path / "model"
    code = """
import resource
save(sys.argv[1], 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save(sys.argv[1], 2)
except OSError as error:
    print(error)
"""
    process = child(code, path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert str(path) in out
    assert "too large" in out
    assert read_manifest(path)["n"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


# --- processes that die -------------------------------------------------------------------------


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_time_leaves_a_model_that_loads(tmp_path):
    path = tmp_path / "model"
    save(path, 0)
    delays = random.Random(0)
    code = """
print("ready", flush=True)
n = int(sys.argv[2])
while True:
    n += 1
    save(sys.argv[1], n)
"""
    n, leftovers = 0, 0
    for _ in range(16):
        process = child(code, path, n)
        assert process.stdout.readline() == "ready\n"
        time.sleep(delays.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        leftovers += len(list(tmp_path.iterdir())) > 1
        if not path.exists():  # between two renames; there is a test of its own
            save(path, n)
        manifest = read_manifest(path)
        assert manifest["n"] >= n
        n = manifest["n"]
        assert (path / "inner" / "b.txt").read_text() == str(n)
    assert leftovers, "no process was killed while it wrote: the test tests nothing"
    save(path, n + 1)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


KILLED_BETWEEN_RENAMES = """
save(sys.argv[1], 1)
rename = os.rename
def killing(source, target):
    if os.fspath(target) == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.rename = os.replace = killing
save(sys.argv[1], 2)
"""


@pytest.mark.parametrize("name", ["model", "model[1]", "a*b", "model v1.2"])
def test_a_process_that_is_killed_between_two_renames_loses_nothing(tmp_path, name):
    path = tmp_path / name
    process = child(KILLED_BETWEEN_RENAMES, path)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("the folders are exchanged without such a rename")
    assert process.returncode == -signal.SIGKILL, err
    # The next save brings it back first, so that it is there even if that save fails.
    with pytest.raises(RuntimeError), new_folder(path):
        raise RuntimeError
    assert read_manifest(path)["n"] == 1
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_model_whose_process_was_killed_between_two_renames_loads_at_once(tmp_path):
    path = tmp_path / "model"
    child(KILLED_BETWEEN_RENAMES, path).communicate(timeout=60)
    assert read_manifest(path)["n"] in (1, 2)


def test_leftovers_of_processes_that_run_and_of_other_models_are_left_alone(saved, tmp_path):
    own = tmp_path / f".model.new-{os.getppid()}-0123abcd"
    other = tmp_path / ".other.new-999999999-0123abcd"
    unlike = tmp_path / ".model.backup-999999999-mine"
    dead = tmp_path / ".model.new-999999999-0123abcd"
    for path in (own, other, unlike, dead):
        path.mkdir()
    save(saved, 2)
    assert own.exists()
    assert other.exists()
    assert unlike.exists()
    assert not dead.exists()


# --- reading ------------------------------------------------------------------------------------


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_flipped_bit_is_found_and_its_file_named(saved, data):
    original = read_manifest(saved)
    file = saved / data.draw(st.sampled_from(["a.bin", "inner/b.txt", "manifest.json"]))
    content = file.read_bytes()
    damaged = bytearray(content)
    position = data.draw(st.integers(0, len(content) - 1))
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    message = ""
    file.write_bytes(damaged)
    try:
        found = read_manifest(saved)
    except ValueError as error:
        message = str(error)
    finally:
        file.write_bytes(content)
    if message:
        assert str(saved if file.name == "manifest.json" else file) in message
    else:
        assert file.name == "manifest.json"
        assert found == original  # such as the case of a hexadecimal digit


@pytest.mark.parametrize("name", ["a.bin", "inner/b.txt", "manifest.json"])
@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_a_file_that_was_cut_short_is_named(saved, name, keep):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ValueError, match=rf"{saved / name} is damaged"):
        read_manifest(saved)


def test_a_file_that_is_missing_is_named(saved):
    (saved / "inner" / "b.txt").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{saved}/inner/b\.txt is missing"):
        read_manifest(saved)


@pytest.mark.parametrize("name", ["../x", "inner/../../x", "/x", "..\\x", ""])
def test_a_file_outside_the_folder_is_refused_though_its_hash_is_right(saved, name):
    (saved.parent / "x").write_text("1")
    expected = read_manifest(saved)["members"]["inner/b.txt"]
    target = str(saved.parent / "x") if name == "/x" else name
    rewrite(saved, members={target: expected})
    with pytest.raises(ValueError, match=r"manifest\.json names .*outside the folder"):
        read_manifest(saved)


@pytest.mark.parametrize("version", [2, 99, "1", None, 1.0])
def test_a_newer_format_says_how_to_upgrade(saved, version):
    rewrite(saved, format_version=version)
    with pytest.raises(ValueError, match=rf"{saved} .*version {version}.*pip install --upgrade"):
        read_manifest(saved)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "3", '"sktransfer"', '{"format": "other"}', "[" * 100_000, "\0"],
    ids=lambda content: content[:20],
)
def test_what_is_no_manifest_is_refused_by_name(saved, content):
    (saved / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=rf"{saved}/manifest\.json is (damaged|no manifest)"):
        read_manifest(saved)


def test_a_manifest_in_another_encoding_is_refused_by_name(saved):
    (saved / "manifest.json").write_bytes('{"format": "é"}'.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"{saved}/manifest\.json is damaged"):
        read_manifest(saved)


@pytest.mark.parametrize("members", [None, [], "a.bin", {"a.bin": None}, {"a.bin": {}}], ids=repr)
def test_a_manifest_of_the_wrong_shape_is_a_value_error_that_names_it(saved, members):
    rewrite(saved, members=members)
    with pytest.raises(ValueError, match=r"manifest\.json"):
        read_manifest(saved)


def test_a_manifest_of_absurd_size_is_not_read(saved):
    with open(saved / "manifest.json", "ab") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(ValueError, match="larger than any manifest"):
        read_manifest(saved)


def test_a_folder_that_is_no_model_and_one_that_is_missing_are_told_apart(saved):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nothing"):
        read_manifest(saved.parent / "nothing")
    shutil.rmtree(saved)
    saved.mkdir()
    with pytest.raises(ValueError, match="no model that sktransfer saved"):
        read_manifest(saved)


def test_files_may_be_read_by_whom_the_umask_lets(tmp_path):
    with new_folder(tmp_path / "model") as folder:
        (folder / "weights").write_bytes(b"1")
        os.chmod(folder / "weights", 0o600)
        write_manifest(folder, {})
    modes = {file.stat().st_mode for file in (tmp_path / "model").iterdir()}
    assert len(modes) == 1
