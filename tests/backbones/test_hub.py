"""The hub, played by a server on this machine: what is fetched, cached, refused and explained."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

SHA = {"main": "a" * 40, "dev": "b" * 40}
REPO = "owner/tiny"
WANTED = {
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "1_Pooling/config.json",
}


class Hub:
    """A hub with one model, in what `huggingface_hub` asks for of the real one."""

    def __init__(self, folder):
        files = {
            p.relative_to(folder).as_posix(): p.read_bytes()
            for p in folder.rglob("*")
            if p.is_file()
        }
        files |= {"pytorch_model.bin": b"\x80\x04.", "onnx/model.onnx": b"onnx", "code.py": b"1/0"}
        files |= {"onnx/config.json": b"{}", "2_Other/model.safetensors": b"", "README.md": b"#"}
        self.everything = {"main": files, "dev": {**files, "config.json": b'{"of": "dev"}'}}
        self.files = self.everything
        self.requests = []
        self.refuse = None  # (status, headers) of every answer
        self.cut = ""  # name of the file that is cut off in the middle
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = unquote(urlsplit(self.path).path)
                hub.requests.append(path)
                status, headers, body = hub.answer(path)
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command == "GET":
                    whole = not (hub.cut and path.endswith(hub.cut))
                    self.wfile.write(body if whole else body[: len(body) // 2])

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path):
        if self.refuse is not None:
            return (*self.refuse, b"{}")
        api, _, rest = path.partition(f"/api/models/{REPO}")
        if api == "" and (rest in ("", "/") or rest.startswith("/revision/")):
            revision = rest.removeprefix("/revision/") or "main"
            if revision not in SHA:
                return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
            files = [{"rfilename": name} for name in self.files[revision]]
            return self.json({"id": REPO, "sha": SHA[revision], "siblings": files})
        for revision, sha in SHA.items():
            if path == f"/api/models/{REPO}/tree/{sha}":
                return self.json([self.entry(*item) for item in self.files[revision].items()])
            start = f"/{REPO}/resolve/{sha}/"
            if path.startswith(start):
                content = self.files[revision][path.removeprefix(start)]
                etag = self.entry("", content)["oid"]
                return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": sha}, content
        return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"

    @staticmethod
    def entry(name, content):
        oid = hashlib.sha1(content).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": oid}

    @staticmethod
    def json(value):
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


@contextlib.contextmanager
def serving(folder):
    hub = Hub(folder)
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()


@pytest.fixture(scope="module")
def running_hub(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(tiny_model, folder, dirs_exist_ok=True)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    with serving(folder) as hub:
        yield hub


@pytest.fixture
def hub(running_hub):
    running_hub.refuse, running_hub.cut, running_hub.files = None, "", running_hub.everything
    running_hub.requests.clear()
    return running_hub


FIND = """
import json, sys, time, warnings
warnings.simplefilter("error")
from pathlib import Path
from sktransfer.weights import find_on_hub
answers = []
start = time.monotonic()
for repo, revision in json.loads(sys.argv[1]):
    try:
        folder = find_on_hub(repo, revision)
        answer = {p.relative_to(folder).as_posix(): p.stat().st_size
                  for p in folder.rglob("*") if p.is_file()}
        answer["folder"] = str(folder)
    except Exception as error:
        answer = [type(error).__name__, isinstance(error, OSError), str(error)]
    answers.append(answer)
print(json.dumps([answers, time.monotonic() - start]))
"""


@pytest.fixture
def find(hub, tmp_path):
    """Find models in a new process, each a name and a revision; gives an answer for each."""

    def find(*models, endpoint=hub.address, offline=False, within=60, silent=True):
        env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf")}
        env |= {"HF_HUB_OFFLINE": str(int(offline)), "HF_HUB_DISABLE_TELEMETRY": "1"}
        env.pop("HF_HUB_CACHE", None)
        models = models or ((REPO, None),)
        done = subprocess.run(
            [sys.executable, "-c", FIND, json.dumps(models)],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stderr == "" or not silent
        answers, seconds = json.loads(done.stdout)
        assert seconds < within
        return answers if len(models) > 1 else answers[0]

    return find


def assert_one_sentence(answer, *words):
    _, is_os_error, message = answer
    assert is_os_error, answer
    assert "\n" not in message
    assert len(message) < 400
    for word in words:
        assert word in message


def test_only_the_files_of_the_model_are_fetched(find, hub):
    found = find()
    assert set(found) - {"folder"} == WANTED
    fetched = {path.partition(f"{SHA['main']}/")[2] for path in hub.requests if "resolve" in path}
    assert fetched == WANTED
    for name in WANTED:
        assert found[name] == len(hub.files["main"][name])


def test_a_model_that_was_fetched_is_found_without_the_network(find):
    found = find()
    assert find(offline=True) == found


def test_a_model_that_was_fetched_is_found_without_asking_the_hub(find, hub):
    found = find()
    hub.requests.clear()
    assert find() == found
    assert hub.requests == []


def test_a_fetched_model_predicts_without_the_network(find, hub, tmp_path):
    find()
    code = f"""
from sktransfer import TransferTextClassifier
clf = TransferTextClassifier({REPO!r}, freeze="frozen", random_state=0)
clf.fit(["good film", "dull film"] * 4, ["good", "bad"] * 4)
encoder = clf.net_.module_.encoder
print(clf.predict(["good film"]), encoder._pooling)
"""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    env |= {"HF_ENDPOINT": hub.address, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "['good'] mean"  # no modules.json asks for the pooling


# A model with nothing beside what is fetched, as many small ones are, is cached whole.
@pytest.fixture(params=["all formats", "wanted files alone"])
def formats(request, hub):
    if request.param != "all formats":
        hub.files = {
            revision: {name: content for name, content in files.items() if name in WANTED}
            for revision, files in hub.everything.items()
        }


@pytest.mark.usefixtures("formats")
def test_a_revision_is_what_was_asked_for_though_another_one_is_cached(find, hub):
    main, dev, commit = find((REPO, None), (REPO, "dev"), (REPO, SHA["dev"]))
    assert main["folder"].endswith(SHA["main"])
    assert dev["folder"].endswith(SHA["dev"])
    assert commit["folder"] == dev["folder"]
    assert dev["config.json"] == len(hub.files["dev"]["config.json"])


@pytest.mark.usefixtures("formats")
def test_a_revision_that_is_not_cached_is_an_error_without_the_network(find):
    find()
    answer = find((REPO, "dev"), offline=True)
    assert isinstance(answer, list), f"got the main branch: {answer}"
    assert_one_sentence(answer, REPO, "HF_HUB_OFFLINE is set")


def test_a_revision_that_does_not_exist_is_named(find):
    answer = find((REPO, "v9"))
    assert answer[0] == "FileNotFoundError"
    assert_one_sentence(answer, "There is no model", REPO, "revision 'v9'")


@pytest.mark.parametrize("status", [401, 404])
def test_a_model_that_does_not_exist_is_named(find, hub, status):
    # Who is not logged in gets a 401 from the hub, whether a model is private or does not exist.
    hub.refuse = (status, {"X-Error-Code": "RepoNotFound"})
    answer = find(("owner/no-such-model", None))
    assert answer[0] == "FileNotFoundError"
    assert_one_sentence(answer, "There is no model 'owner/no-such-model'", "pathlib.Path")


def test_a_model_that_asks_for_consent_says_where_to_give_it(find, hub):
    hub.refuse = (403, {"X-Error-Code": "GatedRepo"})
    assert_one_sentence(find(), REPO, "accept its terms", "hf auth login")


def test_a_hub_that_cannot_be_reached_is_one_sentence_soon(find, hub):
    answer = find(endpoint="http://127.0.0.1:1", within=5)
    assert_one_sentence(answer, REPO, "no connection", f"hf download {REPO}")


def test_offline_and_not_cached_is_one_sentence_at_once(find, hub):
    assert_one_sentence(find(offline=True, within=2), REPO, "HF_HUB_OFFLINE is set", "hf download")
    assert hub.requests == []


def test_a_model_whose_weights_are_known_is_answered_with_their_name(find):
    name = "sentence-transformers/all-MiniLM-L6-v2"
    answer = find((name, None), offline=True, within=2)
    assert_one_sentence(answer, name, "backbone='minilm'", "hf download")


def test_a_hub_that_fails_does_not_keep_from_what_is_cached(find, hub):
    found = find()
    hub.refuse = (500, {})
    assert find() == found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_a_download_that_was_cut_off_is_an_error_and_the_next_one_completes_it(find, hub, name):
    hub.cut = name
    assert_one_sentence(find(silent=False), REPO, "cannot be downloaded")
    hub.cut = ""
    assert set(find()) - {"folder"} == WANTED


# --- images -------------------------------------------------------------------------------------

IMAGES = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np
from sktransfer import TransferImageClassifier
from sktransfer_vision import VGG16
X = np.random.RandomState(0).randint(0, 256, (8, 40, 40, 3)).astype("uint8")
X[:4, :20] //= 4
backbone = "owner/tiny" if sys.argv[1] == "vit" else VGG16("owner/tiny", width=0.02)
clf = TransferImageClassifier(backbone, freeze="frozen", image_size=33, random_state=0)
print(clf.fit(X, ["dark"] * 4 + ["light"] * 4).predict(X), clf.net_.module_.encoder.fingerprint)
"""


def make_vit(folder):
    from transformers import ViTConfig, ViTModel

    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = ViTConfig(**small, intermediate_size=32, image_size=33, patch_size=11)
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    said = {"image_processor_type": "ViTImageProcessor", "size": {"height": 33, "width": 33}}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))


def make_vgg16(folder):
    import torch
    from safetensors.torch import save_file

    channels = [3, 1, 1, 3, 3, 5, 5, 5, 10, 10, 10, 10, 10, 10]
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    state = {"head.fc.weight": torch.zeros(9, 10)}
    for place, n_in, n_out in zip(places, channels, channels[1:], strict=False):
        state[f"features.{place}.weight"] = torch.full((n_out, n_in, 3, 3), 0.1)
        state[f"features.{place}.bias"] = torch.zeros(n_out)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    colours = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    config = {"architecture": "vgg16", "pretrained_cfg": colours}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("make", [make_vit, make_vgg16], ids=["vit", "vgg16"])
def test_a_model_of_images_is_fetched_once_and_then_needs_no_network(make, tmp_path):
    pytest.importorskip("sktransfer_vision", reason="reads images")
    folder = tmp_path / "model"
    folder.mkdir()
    make(folder)
    env = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    env |= {"OMP_NUM_THREADS": "1", "SKTRANSFER_CACHE": str(tmp_path / "cache")}
    env.pop("HF_HUB_CACHE", None)

    def classify(**more):
        done = subprocess.run(
            [sys.executable, "-c", IMAGES, make.__name__.removeprefix("make_")],
            env={**env, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    with serving(folder) as hub:
        found = classify(HF_ENDPOINT=hub.address)
        fetched = {p.partition(f"{SHA['main']}/")[2] for p in hub.requests if "resolve" in p}
    assert fetched == {path.name for path in folder.iterdir()}
    assert "dark" in found
    assert classify(HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_OFFLINE="1") == found
