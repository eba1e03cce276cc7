"""What backbones are held to that learn from training inputs, such as a vocabulary."""

from __future__ import annotations

from sktransfer.plugins import Backbone, Encoder
from sktransfer.testing._encoders import close, features_of, load, samples
from sktransfer.testing._expect import expect


def check_learning_leaves_the_plugin_alone(plugin: Backbone) -> None:
    """Check that ``learned_from`` gives a backbone, always the same, and changes nothing."""
    before = repr(plugin.get_params())
    learned = plugin.learned_from(samples(plugin))
    expect(
        isinstance(learned, Backbone),
        got=f"{learned!r} from learned_from",
        expected="a Backbone",
        change="Return a parameter object that knows what was learned.",
    )
    expect(
        repr(plugin.get_params()) == before,
        got=f"other parameters after learned_from than before: {plugin!r}",
        expected="the plugin as it was",
        change="Return another object, such as sklearn.base.clone(self).set_params(...).",
    )
    again = plugin.learned_from(samples(plugin))
    expect(
        repr(again.get_params()) == repr(learned.get_params()),
        got="other parameters when the same inputs are learned from again",
        expected="the same",
        change="Sort sets, and break ties between equally frequent words by the words.",
    )


def check_learning_keeps_places(plugin: Backbone) -> None:
    """Check that what was learned earlier keeps its place when more is learned."""
    X = samples(plugin)
    learned = plugin.learned_from(X[:2])
    if learned is plugin or not isinstance(learned, Backbone):
        return  # nothing is learned; or another check fails
    earlier, later = load(learned), load(plugin.learned_from(X, learned))
    growing = later.growing
    old, new = earlier.module.state_dict(), later.module.state_dict()
    grown = {n for n in old if n in new and _grew(old[n].shape, new[n].shape)}
    others = [n for n in old if n not in new or (n not in grown and new[n].shape != old[n].shape)]
    expect(
        not others and len(new) == len(old),
        got=f"other parameters, or other shapes, after learning more: {others}",
        expected="the same ones, which may have more entries along the first axis",
        change="Keep the shape of what does not depend on the inputs.",
    )
    expect(
        grown <= growing,
        got=f"{sorted(grown - growing)} grew",
        expected=f"that `growing` names it; it names {sorted(growing)}",
        change="Name what may grow in the encoder's attribute `growing`.",
    )
    moved = [n for n in old if not close(new[n][: len(old[n])] if n in grown else new[n], old[n])]
    expect(
        not moved,
        got=f"other weights in the first rows of {moved} after learning more",
        expected="the rows that were there, in their places",
        change="Append to what `earlier` knows, and draw random rows by what they stand for.",
    )
    expect(
        earlier.fingerprint.weights == later.fingerprint.weights,
        got=f"fingerprints of other weights: {earlier.fingerprint} and {later.fingerprint}",
        expected="the same weights, since training goes on from them",
        change="Put what was learned from the inputs into the field preprocessing.",
    )
    _check_what_was_known(earlier, later, X[:2])


def _grew(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    return len(old) == len(new) > 0 and new[0] > old[0] and new[1:] == old[1:]


def _check_what_was_known(earlier: Encoder, later: Encoder, X: list[object]) -> None:
    expect(
        close(features_of(earlier, X), features_of(later, X)),
        got="other features for the inputs that were learned from first",
        expected="the same",
        change="Append to what `earlier` knows instead of numbering anew.",
    )


CHECKS = (check_learning_leaves_the_plugin_alone, check_learning_keeps_places)
