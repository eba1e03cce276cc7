import pytest

from sktransfer import _registry
from sktransfer.plugins import PluginInfo, available, register


@pytest.fixture
def runtime(monkeypatch):
    """Forget what a test registers."""
    monkeypatch.setattr(_registry, "_RUNTIME", {})
    monkeypatch.setenv("COLUMNS", "200")


def rows(done):
    return [line.split(maxsplit=3) for line in done.stdout.splitlines()[1:]]


def test_every_plugin_is_listed(runtime, sktransfer):
    done = sktransfer("plugins")
    assert done.exit_code == 0
    assert [tuple(row[:3]) for row in rows(done)] == [
        (info.kind, info.name, info.distribution) for info in available()
    ]


def test_listing_imports_no_plugin(runtime, sktransfer):
    register("head", "broken", "a_module_that_nobody_has:Head", distribution="sktransfer-broken")
    done = sktransfer("plugins")
    assert done.exit_code == 0
    assert ["head", "broken", "sktransfer-broken"] in [row[:3] for row in rows(done)]


def test_check_says_what_is_broken_and_why(runtime, sktransfer):
    register("head", "broken", "a_module_that_nobody_has:Head", distribution="sktransfer-broken")
    register("head", "other", dict, distribution="sktransfer-other")
    done = sktransfer("plugins", "--check")
    assert done.exit_code == 1
    status = {row[1]: row[3].strip() for row in rows(done)}
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
    (row,) = [row for row in rows(done) if row[2] == "sktransfer-late"]
    assert row[3].strip() == "not used: 'sktransfer' has the name"
