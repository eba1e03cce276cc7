"""What backbones are held to that learn from training inputs, such as a vocabulary."""

from __future__ import annotations

from sktransfer.plugins import Backbone
from sktransfer.testing._check import check_of, expect
from sktransfer.testing._encoders import close, features_of, load, samples


@check_of(Backbone)
def check_learning_leaves_the_plugin_alone(plugin: Backbone) -> None:
    """`learned_from` gives a Backbone, always the same, and leaves the plugin as it was.

    Return another object that knows what was learned, such as
    sklearn.base.clone(self).set_params(...). Sort sets, and break ties between equally frequent
    words by the words.
    """
    before = repr(plugin.get_params())
    learned = plugin.learned_from(samples(plugin))
    expect(isinstance(learned, Backbone), f"{learned!r} from learned_from")
    after = repr(plugin.get_params())
    expect(after == before, f"other parameters of {plugin!r} after learned_from: {before} before")
    again = plugin.learned_from(samples(plugin))
    expect(
        repr(again.get_params()) == repr(learned.get_params()),
        f"{learned!r} and then {again!r} from the same inputs",
    )


@check_of(Backbone)
def check_learning_keeps_places(plugin: Backbone) -> None:
    """What was learned earlier keeps its place when more is learned.

    Keep the shape of what does not depend on the inputs. What may have more entries along its first
    axis is named in the encoder's attribute `growing`. Append to what `earlier` knows instead of
    numbering anew, and draw random rows by what they stand for. Training goes on from the same
    weights: what was learned belongs into the fingerprint's field preprocessing.
    """
    X = samples(plugin)
    learned = plugin.learned_from(X[:2])
    if learned is plugin or not isinstance(learned, Backbone):
        return  # nothing is learned; or another check fails
    earlier, later = load(learned), load(plugin.learned_from(X, learned))
    old, new = earlier.module.state_dict(), later.module.state_dict()
    grown = {n for n in old if n in new and _grew(old[n].shape, new[n].shape)}
    others = [n for n in old if n not in new or (n not in grown and new[n].shape != old[n].shape)]
    others += [n for n in new if n not in old]
    expect(not others, f"other parameters, or other shapes, after learning more: {others}")
    expect(
        grown <= later.growing,
        f"{sorted(grown - later.growing)} that grew, while `growing` names {sorted(later.growing)}",
    )
    moved = [n for n in old if not close(new[n][: len(old[n])] if n in grown else new[n], old[n])]
    expect(not moved, f"other weights in the first rows of {moved} after learning more")
    expect(
        earlier.fingerprint.weights == later.fingerprint.weights,
        f"fingerprints of other weights: {earlier.fingerprint} and {later.fingerprint}",
    )
    same = close(features_of(earlier, X[:2]), features_of(later, X[:2]))
    expect(same, "other features for the inputs that were learned from first")


def _grew(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    return len(old) == len(new) > 0 and new[0] > old[0] and new[1:] == old[1:]
