"""Names of plugins: found, listed, refused and explained."""

import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import sktransfer.contracts.registry as registry
from sktransfer.contracts import catalogue
from sktransfer.modalities.image.modality import ImageModality
from sktransfer.plugins import FreezeStrategy, available, register, resolve


class Top(FreezeStrategy):
    def __init__(self, k=1):
        self.k = k


@pytest.fixture(autouse=True)
def no_runtime_plugins(monkeypatch):
    monkeypatch.setattr(registry, "_RUNTIME", {})


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make an installed distribution out of entry points and a module."""

    def make(distribution, group, points, module="", source=""):
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        if module:
            (tmp_path / f"{module}.py").write_text(source)
            # A test module of this name may be left over from another test.
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(tmp_path)

    return make


NETWORK = """
from sktransfer.plugins import Backbone

class Net(Backbone):
    modality = "image"
"""

STRATEGY = """
from sktransfer.plugins import FreezeStrategy

class Mine(FreezeStrategy):
    def __init__(self, k=1):
        self.k = k
"""


def ours():
    """Give the distribution of sktransfer alone, as where no plugin is installed."""
    return [d for d in distributions() if d.name == "sktransfer"]


def entries(kind, name):
    return [info for info in available(kind) if info.name == name]


# --- unknown names ------------------------------------------------------------------------------


def test_unknown_name_lists_what_is_installed():
    with pytest.raises(ValueError, match="no head named 'quadratic'") as caught:
        resolve("head", "quadratic")
    assert "Installed: linear, mlp." in str(caught.value)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("freeze", "gradul", "gradual"),
        ("freeze", "lpft", "lp_ft"),
        ("head", "lineer", "linear"),
        ("backbone", "minilmm", "minilm"),
        ("backbone", "distil", "distilbert-base-uncased"),
        ("backbone", "distilbert-base-uncase", "distilbert-base-uncased"),
    ],
)
def test_unknown_name_gives_the_nearest(kind, wrong, right):
    with pytest.raises(ValueError, match=f"Did you mean '{right}'"):
        resolve(kind, wrong)


def test_unknown_name_of_a_known_plugin_names_its_distribution(monkeypatch):
    known = {"sktransfer-spline": ("spline",)}
    monkeypatch.setitem(catalogue.PLUGIN_CATALOGUE, "sktransfer.heads", known)
    with pytest.raises(ValueError, match="sktransfer-spline"):
        resolve("head", "spline")
    # The name is known as a head and as nothing else.
    with pytest.raises(ValueError, match="no freeze named 'spline'") as caught:
        resolve("freeze", "spline")
    assert "see Plugins in the README" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("letters", "sktransfer-example"),
        ("textcnn", "sktransfer-wordvectors"),
        ("efficientnet-lite0", "sktransfer-vision"),
        ("vgg16", "sktransfer-vision"),
        ("image-transformer", "sktransfer-vision"),
    ],
)
def test_our_plugins_are_known_where_they_are_not_installed(name, distribution, monkeypatch):
    monkeypatch.setattr(registry, "distributions", ours)
    with pytest.raises(ValueError, match=distribution):
        resolve("backbone", name)


def installed_in(message):
    return message.partition("Installed: ")[2].partition(".")[0].split(", ")


@pytest.fixture
def networks(install):
    """Install networks of images of three sizes, and one that cannot be imported."""
    names = ("big-net-a", "big-net-b", "big-net-c")
    points = dict.fromkeys(names, "networks_of_images:Net") | {"big-broken": "nowhere:Net"}
    source = (
        "from sktransfer.plugins import Backbone\nclass Net(Backbone):\n    modality = 'image'\n"
    )
    install("sktransfer-nets", "sktransfer.backbones", points, "networks_of_images", source)
    return names


def test_only_backbones_that_read_what_is_wanted_are_suggested(networks):
    with pytest.raises(ValueError, match="no backbone named 'big-ne'") as caught:
        resolve("backbone", "big-ne", modality="image")
    assert "minilm" not in str(caught.value)
    # What cannot be imported cannot be asked what it reads.
    assert {*networks, "big-broken"} <= set(installed_in(str(caught.value)))
    with pytest.raises(ValueError, match="no backbone named 'big-ne'") as caught:
        resolve("backbone", "big-ne", modality="text")
    assert "minilm" in installed_in(str(caught.value))
    assert not set(networks) & set(installed_in(str(caught.value)))


def test_what_our_plugins_read_is_known_and_nothing_of_others_that_use_their_names(install):
    assert {info.modality for info in entries("backbone", "minilm")} == {"text"}
    assert {info.modality for info in entries("backbone", "vgg16")} <= {"image"}
    install("someone-elses", "sktransfer.backbones", {"letters": "nowhere:Letters"})
    reads = {info.distribution: info.modality for info in entries("backbone", "letters")}
    assert reads["someone-elses"] == ""


def test_of_names_that_are_as_near_the_first_is_suggested(networks):
    with pytest.raises(ValueError, match="Did you mean 'big-net-a'"):
        resolve("backbone", "big-net", modality="image")


def test_a_name_of_images_says_how_models_of_transformers_are_written():
    with pytest.raises(ValueError, match="'owner/name'; a folder"):
        resolve("backbone", "resnet50", modality="image")


def test_the_nearest_may_be_of_a_known_plugin_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(registry, "distributions", ours)
    said = "Did you mean 'efficientnet-lite0'.*sktransfer-vision"
    with pytest.raises(ValueError, match=said):
        resolve("backbone", "efficientnet-lite", modality="image")


@pytest.mark.parametrize(
    ("name", "modality", "words"),
    [
        ("textcnn", "image", "'text', not images"),
        ("vgg16", "text", "'image', not texts"),
    ],
)
def test_a_known_plugin_that_reads_something_else_is_not_to_be_installed(
    name, modality, words, monkeypatch
):
    monkeypatch.setattr(registry, "distributions", ours)
    with pytest.raises(ValueError, match=words) as caught:
        resolve("backbone", name, modality=modality)
    assert "see Plugins in the README" not in str(caught.value)


def test_unknown_backbone_says_how_hub_and_folders_are_written():
    with pytest.raises(ValueError, match="'owner/name'; a folder as"):
        resolve("backbone", "no-such-backbone")


def test_unknown_name_offers_installed_plugins(install):
    install("sktransfer-mine", "sktransfer.freeze_strategies", {"butterfly": "nowhere:Mine"})
    with pytest.raises(ValueError, match="Did you mean 'butterfly'"):
        resolve("freeze", "buterfly")


@pytest.mark.parametrize("call", [available, lambda kind: resolve(kind, "linear")])
def test_unknown_kind(call):
    with pytest.raises(ValueError, match=r"kind has to be one of .*'head'.* got 'heads'"):
        call("heads")


def test_registering_an_unknown_kind():
    with pytest.raises(ValueError, match="kind has to be one of"):
        register("heads", "mine", Top)


# --- registering --------------------------------------------------------------------------------


def test_registered_class_is_found_with_its_parameters():
    register("freeze", "top_three", Top, k=3)
    strategy = resolve("freeze", "top_three")
    assert isinstance(strategy, Top)
    assert strategy.k == 3
    assert [info.distribution for info in entries("freeze", "top_three")] == ["this process"]


def test_registered_path_is_imported_when_it_is_used(tmp_path, monkeypatch):
    (tmp_path / "registered_by_path.py").write_text(STRATEGY)
    monkeypatch.syspath_prepend(tmp_path)
    register("freeze", "by_path", "registered_by_path:Mine", k=4)
    assert "registered_by_path" not in sys.modules
    assert resolve("freeze", "by_path").k == 4


def test_register_refuses_a_built_in_name():
    with pytest.raises(ValueError, match=r"'gradual' is taken by .*'sktransfer'; 'mine' has to"):
        register("freeze", "gradual", Top, distribution="mine")
    assert type(resolve("freeze", "gradual")).__name__ == "Gradual"


def test_register_refuses_a_name_that_is_registered():
    register("freeze", "mine", Top, distribution="first")
    with pytest.raises(ValueError, match="taken by the distribution 'first'; 'second' has to"):
        register("freeze", "mine", Top, distribution="second")


def test_register_refuses_a_name_of_an_entry_point(install):
    install("sktransfer-mine", "sktransfer.freeze_strategies", {"mine": "nowhere:Mine"})
    with pytest.raises(ValueError, match="by the distribution 'sktransfer-mine'; 'this process'"):
        register("freeze", "mine", Top)


def test_the_same_name_may_stand_for_several_kinds():
    register("freeze", "linear", Top)
    assert isinstance(resolve("freeze", "linear"), Top)
    assert type(resolve("head", "linear")).__name__ == "LinearHead"


# --- entry points -------------------------------------------------------------------------------


def test_entry_point_is_found(install):
    install(
        "sktransfer-mine",
        "sktransfer.freeze_strategies",
        {"mine": "entry_point_found:Mine"},
        "entry_point_found",
        STRATEGY,
    )
    assert type(resolve("freeze", "mine")).__name__ == "Mine"
    (info,) = entries("freeze", "mine")
    assert (info.distribution, info.shadowed_by) == ("sktransfer-mine", "")


def test_built_in_wins_over_an_entry_point_and_both_are_listed(install):
    install("sktransfer-mine", "sktransfer.freeze_strategies", {"gradual": "nowhere:Mine"})
    assert type(resolve("freeze", "gradual")).__name__ == "Gradual"
    assert [(info.distribution, info.shadowed_by) for info in entries("freeze", "gradual")] == [
        ("sktransfer", ""),
        ("sktransfer-mine", "sktransfer"),
    ]


def test_two_entry_points_of_one_name_are_listed_with_both_distributions(install):
    for distribution in ("plugin-b", "plugin-a"):
        install(
            distribution,
            "sktransfer.freeze_strategies",
            {"mine": f"{distribution.replace('-', '_')}_clash:Mine"},
            f"{distribution.replace('-', '_')}_clash",
            STRATEGY,
        )
    # Which one counts must not depend on the order of folders on the path.
    assert type(resolve("freeze", "mine")).__module__ == "plugin_a_clash"
    assert [(info.distribution, info.shadowed_by) for info in entries("freeze", "mine")] == [
        ("plugin-a", ""),
        ("plugin-b", "plugin-a"),
    ]


def test_shadowed_name_is_offered_once(install):
    install("sktransfer-mine", "sktransfer.heads", {"linear": "nowhere:Mine"})
    with pytest.raises(ValueError, match="Installed: linear, mlp"):
        resolve("head", "quadratic")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_module_that_nobody_has", "No module named 'a_module_that_nobody_has'"),
        ("1 / 0", "ZeroDivisionError"),
        ("this is no python", "SyntaxError"),
        ("", "has no attribute 'Mine'"),
        ("class Mine:\n    def __init__(self):\n        raise OSError('no file')", "no file"),
    ],
)
def test_plugin_that_fails_is_reported_and_disables_only_itself(install, source, reason):
    install(
        "sktransfer-broken",
        "sktransfer.freeze_strategies",
        {"broken": "fails_on_import:Mine"},
        "fails_on_import",
        source,
    )
    install(
        "sktransfer-sound",
        "sktransfer.freeze_strategies",
        {"sound": "imports_well:Mine"},
        "imports_well",
        STRATEGY,
    )
    assert entries("freeze", "broken")
    with pytest.raises(ImportError, match=r"freeze 'broken' of .* 'sktransfer-broken'") as caught:
        resolve("freeze", "broken")
    assert reason in str(caught.value)
    assert caught.value.__cause__ is not None
    assert type(resolve("freeze", "sound")).__name__ == "Mine"
    assert type(resolve("freeze", "full")).__name__ == "Full"


def test_listing_imports_no_plugin(install, tmp_path, capfd):
    trace = tmp_path / "trace"
    install(
        "sktransfer-noisy",
        "sktransfer.freeze_strategies",
        {"noisy": "prints_and_sleeps:Mine"},
        "prints_and_sleeps",
        f"import pathlib, time\npathlib.Path({str(trace)!r}).touch()\n"
        f"print('hello')\ntime.sleep(60)\n{STRATEGY}",
    )
    assert entries("freeze", "noisy")
    assert available()
    with pytest.raises(ValueError, match="noisy"):
        resolve("freeze", "an unknown name")
    resolve("freeze", "full")
    assert not trace.exists()
    assert capfd.readouterr() == ("", "")


def test_listing_is_sorted_and_complete():
    listed = available()
    assert [info.kind for info in listed] == sorted(
        (info.kind for info in listed), key=list(registry.ENTRY_POINT_GROUPS).index
    )
    for kind in registry.ENTRY_POINT_GROUPS:
        names = [info.name for info in available(kind)]
        assert names == sorted(names)
        assert names == [info.name for info in listed if info.kind == kind]


# --- objects ------------------------------------------------------------------------------------


def test_instance_is_cloned():
    mine = Top(k=5)
    strategy = resolve("freeze", mine)
    assert strategy is not mine
    assert strategy.k == 5


def test_name_gives_a_new_instance_each_time():
    assert resolve("freeze", "gradual") is not resolve("freeze", "gradual")


def test_entry_point_of_the_wrong_kind(install):
    install(
        "sktransfer-mixed",
        "sktransfer.heads",
        {"mixed": "wrong_kind:Mine"},
        "wrong_kind",
        STRATEGY,
    )
    with pytest.raises(TypeError, match=r"head 'mixed' of .*'sktransfer-mixed' gives a Mine") as e:
        resolve("head", "mixed")
    assert "no Head" in str(e.value)


@pytest.mark.parametrize("kind", ["backbone", "head", "alignment"])
def test_instance_of_the_wrong_kind(kind):
    with pytest.raises(TypeError, match=f"{kind} has to be a name or a .* instance, got Top"):
        resolve(kind, Top())


@pytest.mark.parametrize("thing", [None, 3, BaseEstimator(), ["gradual"]])
def test_what_is_no_plugin(thing):
    with pytest.raises(TypeError, match="freeze has to be a name or a FreezeStrategy instance"):
        resolve("freeze", thing)


def test_class_in_place_of_an_instance():
    with pytest.raises(TypeError, match=r"an instance is wanted: Top\(\)"):
        resolve("freeze", Top)


def test_backbone_by_hub_id_and_by_folder(tmp_path):
    assert resolve("backbone", "owner/name", modality="text").model == "owner/name"
    assert resolve("backbone", tmp_path, modality="text").model == tmp_path
    assert Path(resolve("backbone", str(tmp_path), modality="text").model) == tmp_path


READER = """
from sktransfer.plugins import Backbone

class Reader(Backbone):
    modality = "image"

    def __init__(self, model="owner/default"):
        self.model = model
"""


def test_a_hub_id_and_a_folder_are_what_the_modality_asks_for(install, tmp_path, monkeypatch):
    monkeypatch.setattr(ImageModality, "hub_backbone", "reader-of-images")
    install(
        "mine",
        "sktransfer.backbones",
        {"reader-of-images": "mine_reader:Reader"},
        "mine_reader",
        READER,
    )
    for spec, model in (("owner/name", "owner/name"), (tmp_path, tmp_path)):
        found = resolve("backbone", spec, modality="image")
        assert (type(found).__name__, found.model) == ("Reader", model)
        assert type(resolve("backbone", spec, modality="text")) is resolve_class("minilm")
    # A name says by itself what it stands for.
    assert type(resolve("backbone", "hashing", modality="image")) is resolve_class("hashing")
    with pytest.raises(ValueError, match="no backbone named 'resnet'"):
        resolve("backbone", "resnet", modality="image")


def test_a_hub_id_for_images_names_the_distribution_that_reads_it(monkeypatch):
    monkeypatch.setattr(registry, "distributions", ours)
    with pytest.raises(ValueError, match=r"'owner/name' .*sktransfer-vision"):
        resolve("backbone", "owner/name", modality="image")


def test_an_unknown_modality_is_refused():
    with pytest.raises(ValueError, match=r"no modality named 'sound'.*image, text"):
        resolve("backbone", "owner/name", modality="sound")


def test_registered_name_wins_over_a_hub_id():
    class Own(resolve_class("hashing")):
        pass

    register("backbone", "owner/name", Own)
    assert isinstance(resolve("backbone", "owner/name", modality="text"), Own)


def resolve_class(name):
    return type(resolve("backbone", name))


def test_a_name_of_a_kind_of_which_none_is_installed_says_what_to_pass():
    assert not available("alignment")
    with pytest.raises(ValueError, match=r"'corall'.*alignment=MyClass\(\)"):
        resolve("alignment", "corall")
