import pytest

from sktransfer.contracts import registry as _registry
from sktransfer.plugins import PluginInfo, available, register


@pytest.fixture
def runtime(monkeypatch):
    """Forget what a test registers."""
    monkeypatch.setattr(_registry, "_RUNTIME", {})
    monkeypatch.setenv("COLUMNS", "200")


def rows(done):
    """Read the table; columns begin where their names do."""
    head, *lines = done.stdout.splitlines()
    names = head.split()
    starts = [head.index(name) for name in names]
    ends = [*starts[1:], None]
    return [
        {n: line[a:b].strip() for n, a, b in zip(names, starts, ends, strict=True)}
        for line in lines
    ]


def test_every_plugin_is_listed(runtime, sktransfer):
    done = sktransfer("plugins")
    assert done.exit_code == 0
    assert rows(done) == [
        {
            "kind": info.kind,
            "name": info.name,
            "reads": info.modality,
            "distribution": info.distribution,
        }
        for info in available()
    ]
    reads = {row["name"]: row["reads"] for row in rows(done)}
    assert (reads["minilm"], reads["efficientnet-lite0"], reads["linear"]) == ("text", "image", "")
    assert done.stderr == ""


def test_listing_imports_no_plugin(runtime, sktransfer):
    register("head", "broken", "a_module_that_nobody_has:Head", distribution="sktransfer-broken")
    done = sktransfer("plugins")
    assert done.exit_code == 0
    assert ("head", "broken") in [(row["kind"], row["name"]) for row in rows(done)]


def test_what_a_backbone_of_others_reads_is_said_when_it_is_imported(runtime, sktransfer):
    register("backbone", "mine", "sktransfer.backbones.hashing:HashingBackbone")
    done = sktransfer("plugins")
    assert {row["reads"] for row in rows(done) if row["name"] == "mine"} == {""}
    assert "--check" in done.stderr
    done = sktransfer("plugins", "--check")
    assert {row["reads"] for row in rows(done) if row["name"] == "mine"} == {"text"}
    assert "--check" not in done.stderr


def test_check_says_what_is_broken_and_why(runtime, sktransfer):
    register("head", "broken", "a_module_that_nobody_has:Head", distribution="sktransfer-broken")
    register("head", "other", dict, distribution="sktransfer-other")
    done = sktransfer("plugins", "--check")
    assert done.exit_code == 1
    status = {row["name"]: row["status"] for row in rows(done)}
    assert status["linear"] == "ok"
    assert status["broken"].startswith("broken: ")
    assert "a_module_that_nobody_has" in done.stdout
    assert "which is no Head" in status["other"]
    assert done.stderr == "error: 2 plugins cannot be used; the table says why.\n"


def test_check_without_broken_ones(runtime, sktransfer):
    assert sktransfer("plugins", "--check").exit_code == 0


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_a_shadowed_name_says_by_whom(runtime, sktransfer, monkeypatch, more):
    entry = PluginInfo("head", "linear", "sktransfer.heads.mlp:MLPHead", "sktransfer-late")
    monkeypatch.setattr(_registry, "_RUNTIME", {("head", "linear"): entry})
    done = sktransfer("plugins", *more)
    assert done.exit_code == 0
    (row,) = [row for row in rows(done) if row["distribution"] == "sktransfer-late"]
    assert row["status"] == "not used: 'sktransfer' has the name"
