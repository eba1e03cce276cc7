"""Features that are kept: what a key means, what survives, and what is never believed."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktransfer.features import store as module
from sktransfer.features.store import DiskStore, MemoryStore, open_store, store_keys

lmdb = pytest.importorskip("lmdb")

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

KEYS = store_keys("weights", [f"text {i}" for i in range(500)])
VALUES = np.random.RandomState(0).randn(500, 8).astype(np.float32)


@pytest.fixture(params=["memory", "disk"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else DiskStore(tmp_path / "store")


INPUT = st.one_of(st.text(max_size=8), st.tuples(st.text(max_size=8), st.text(max_size=8)))


@given(st.lists(INPUT, max_size=20), st.sampled_from(["a", "b"]))
def test_equal_inputs_have_equal_keys_and_others_have_others(X, identity):
    keys = store_keys(identity, X)
    assert keys == store_keys(identity, X)
    assert len(set(keys)) == len(set(X))
    assert not set(keys) & set(store_keys(identity + "c", X))


def test_numbers_and_tuples_of_them_have_keys_by_value():
    X = [(0.1, 0.2), (0.1, 0.3), ("a", 1), ("a", "1"), 1, 1.5, (("a",), None), b"a"]
    keys = store_keys("weights", X)
    assert len(set(keys)) == len(X)
    assert keys == store_keys("weights", [*X])


def test_an_input_without_content_is_refused_with_the_class_that_gives_it_some():
    with pytest.raises(TypeError, match=r"Features of a object.*sktransfer\.plugins\.HashedInput"):
        store_keys("weights", [object()])


def test_another_library_version_has_other_keys(monkeypatch):
    monkeypatch.setattr(module, "version", lambda name: "99.0")
    module._versions.cache_clear()
    try:
        assert not set(store_keys("weights", ["text 0"])) & set(KEYS)
    finally:
        module._versions.cache_clear()


def test_what_was_put_comes_back_in_any_order_and_the_rest_is_missing(store):
    store.put(zip(KEYS[:300], VALUES[:300], strict=True))
    order = np.random.RandomState(1).permutation(500)
    for i, found in zip(order, store.get([KEYS[i] for i in order]), strict=True):
        if i < 300:
            np.testing.assert_array_equal(found, VALUES[i])
        else:
            assert found is None
    assert len(store) == 300


def test_what_is_given_back_cannot_change_what_is_kept(store):
    store.put([(KEYS[0], VALUES[0])])
    found = np.array(store.get(KEYS[:1])[0])
    found += 1
    np.testing.assert_array_equal(store.get(KEYS[:1])[0], VALUES[0])


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_a_full_store_forgets_the_oldest_and_stays_within_its_size(kind, tmp_path):
    limit = 100 * VALUES[0].nbytes
    store = MemoryStore(limit) if kind == "memory" else DiskStore(tmp_path / "store", limit)
    for start in range(0, 500, 50):
        part = slice(start, start + 50)
        store.put(zip(KEYS[part], VALUES[part], strict=True))
    assert 0 < len(store) <= 100
    assert store.get(KEYS[:1]) == [None]
    np.testing.assert_array_equal(store.get(KEYS[-1:])[0], VALUES[-1])


def test_a_store_survives_the_process_and_its_pickle_names_the_folder(tmp_path):
    path = tmp_path / "store"
    code = (
        "import numpy as np; from sktransfer.features.store import open_store, store_keys\n"
        f"store = open_store({str(path)!r})\n"
        "store.put([(store_keys('weights', ['text 0'])[0], np.arange(8, dtype=np.float32))])"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    store = open_store(path)
    np.testing.assert_array_equal(store.get(KEYS[:1])[0], np.arange(8))
    assert open_store(path) is store
    assert pickle.loads(pickle.dumps(store)) is store


def test_a_flipped_byte_is_computed_again_with_one_warning(tmp_path):
    path = tmp_path / "store"
    store = DiskStore(path)
    store.put(zip(KEYS[:5], VALUES[:5], strict=True))
    with store._env.begin(write=True) as txn:
        for key in KEYS[:2]:
            entry = bytearray(txn.get(key, db=store._features))
            entry[20] ^= 1
            txn.put(key, bytes(entry), db=store._features)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = store.get(KEYS[:5])
        store.get(KEYS[:5])
    assert found[:2] == [None, None]
    assert all(value is not None for value in found[2:])
    assert len(caught) == 1
    assert "damaged features" in str(caught[0].message)
    store.put([(KEYS[0], VALUES[0])])
    np.testing.assert_array_equal(store.get(KEYS[:1])[0], VALUES[0])


def test_an_entry_under_another_key_is_not_believed(tmp_path):
    store = DiskStore(tmp_path / "store")
    store.put([(KEYS[0], VALUES[0])])
    with store._env.begin(write=True) as txn:
        txn.put(KEYS[1], txn.get(KEYS[0], db=store._features), db=store._features)
    with pytest.warns(UserWarning, match="damaged"):
        assert store.get(KEYS[1:2]) == [None]


def test_a_file_that_is_no_database_is_put_aside(tmp_path):
    path = tmp_path / "store"
    path.mkdir()
    (path / "data.mdb").write_bytes(b"nonsense" * 1000)
    with pytest.warns(UserWarning, match="no readable feature store"):
        store = DiskStore(path)
    store.put([(KEYS[0], VALUES[0])])
    assert len(store) == 1
    assert (path / "data.mdb.damaged").read_bytes().startswith(b"nonsense")


def test_a_disk_that_is_full_is_a_warning_and_not_an_error(tmp_path):
    code = (
        "import resource, signal, warnings, numpy as np\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from sktransfer.features.store import DiskStore, store_keys\n"
        f"store = DiskStore({str(tmp_path / 'store')!r})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "keys = store_keys('w', [str(i) for i in range(5000)])\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    store.put((key, np.zeros(64, np.float32)) for key in keys)\n"
        "    store.put((key, np.zeros(64, np.float32)) for key in keys)\n"
        "assert len(caught) == 1 and 'cannot be written' in str(caught[0].message), caught\n"
        "assert store.get(keys[:1]) == [None]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


WRITE = """
import sys, numpy as np
from sktransfer.features.store import open_store, store_keys
store, who = open_store(sys.argv[1]), int(sys.argv[2])
for step in range(int(sys.argv[3])):
    X = [f"{(who * 7 + step * 13 + i) % 400}" for i in range(20)]
    keys = store_keys("w", X)
    for x, found in zip(X, store.get(keys)):
        assert found is None or (found == float(x)).all(), (x, found)
    store.put((k, np.full(8, float(x), np.float32)) for k, x in zip(keys, X))
    print(step, flush=True)
"""


def test_many_processes_read_and_write_one_store(tmp_path):
    arguments = [sys.executable, "-c", WRITE, str(tmp_path / "store")]
    running = [
        subprocess.Popen([*arguments, str(who), "40"], stdout=subprocess.DEVNULL)
        for who in range(3)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    store = open_store(tmp_path / "store")
    found = store.get(store_keys("w", [str(i) for i in range(400)]))
    kept = [i for i, value in enumerate(found) if value is not None]
    assert kept
    assert all((found[i] == i).all() for i in kept)


def test_a_writer_that_is_killed_leaves_a_store_that_others_use(tmp_path):
    arguments = [sys.executable, "-c", WRITE, str(tmp_path / "store"), "0", "100000"]
    for pause in (0.0, 0.01, 0.05):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
        store = open_store(tmp_path / "store")
        store.put([(KEYS[0], VALUES[0])])
        np.testing.assert_array_equal(store.get(KEYS[:1])[0], VALUES[0])


def _forked(store, answers):
    store.put([(KEYS[1], VALUES[1])])
    answers.put([value is not None for value in store.get(KEYS[:2])])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_opens_the_store_for_itself(tmp_path):
    store = DiskStore(tmp_path / "store")
    store.put([(KEYS[0], VALUES[0])])
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=_forked, args=(store, answers))
    process.start()
    assert answers.get(timeout=30) == [True, True]
    process.join(timeout=30)
    assert len(store) == 2


def test_without_lmdb_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ImportError, match=r"pip install 'sktransfer\[cache\]'"):
        DiskStore(tmp_path / "store")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_may_open_the_folder_by_its_name(tmp_path):
    open_store(tmp_path / "store").put([(KEYS[0], VALUES[0])])
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=_named, args=(tmp_path / "store", answers))
    process.start()
    assert answers.get(timeout=30) == [True, True]
    process.join(timeout=30)


def _named(path, answers):
    _forked(open_store(path), answers)
