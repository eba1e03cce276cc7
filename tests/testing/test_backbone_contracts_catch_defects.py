"""The checks of backbones and encoders, each with a plugin that fails it and no other check."""

import functools
import hashlib
import itertools

import pytest

from sktransfer.plugins import Backbone, Fingerprint, Plugin, VectorEncoder
from sktransfer.testing import contract_checks
from sktransfer.testing._random_states import random_states_kept

COMMON = {check.__name__ for check in contract_checks(Plugin())}

DEFECTS = []


def breaks(*names, **params):
    """Say which checks a plugin class fails when it is built with these parameters."""

    def add(cls):
        cls.__doc__ = cls.__doc__ or cls.__base__.__doc__
        DEFECTS.append(pytest.param(cls, params, set(names), id=cls.__name__))
        return cls

    return add


class WordsEncoder(VectorEncoder):
    """Mean of hashed words' embeddings, then a layer."""

    def __init__(self, dim, seed):
        import torch
        from torch import nn

        self.dim = dim
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.module = nn.ModuleDict(
                {"embeddings": nn.Embedding(64, dim, padding_idx=0), "hidden": nn.Linear(dim, dim)}
            )
        self.blocks = {
            "embeddings": ["embeddings.weight"],
            "hidden": ["hidden.weight", "hidden.bias"],
        }
        weights = [value.numpy().tobytes() for value in self.module.state_dict().values()]
        self.fingerprint = Fingerprint(hashlib.sha256(b"".join(weights)).hexdigest())

    def prepare(self, X):
        return [[self.number(word) for word in text.split()[:20]] for text in X]

    def number(self, word):
        return 1 + hashlib.md5(word.encode()).digest()[0] % 63

    def collate(self, rows):
        import torch

        longest = max(1, *map(len, rows))
        return {"words": torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])}

    def forward(self, batch):
        return self.module["hidden"](self.mean(batch)).tanh()

    def mean(self, batch):
        real = (batch["words"] > 0).unsqueeze(-1)
        embedded = self.module["embeddings"](batch["words"]) * real
        return embedded.sum(dim=1) / real.sum(dim=1).clamp(min=1)


class Words(Backbone):
    """Average words.

    Parameters
    ----------
    dim : int, default=4
        Width of the features.
    """

    pretrained = False
    encoder = WordsEncoder

    def __init__(self, dim=4):
        self.dim = dim

    def search_space(self):
        from optuna.distributions import CategoricalDistribution

        return {"dim": CategoricalDistribution([2, 8])}

    def load(self, *, device, random_state):
        return self.encoder(self.dim, random_state)


# --- loading ------------------------------------------------------------------------------------


@breaks("check_class_attributes")
class HearsSounds(Words):
    modality = "sound"


@breaks("check_class_attributes")
class PretrainedByHalf(Words):
    pretrained = 0.5


@breaks("check_class_attributes")
class NamesItsLanguage(Words):
    english_only = "en"


@breaks("check_class_attributes")
class FrozenForFewerThanNone(Words):
    frozen_below = -1


@breaks("check_class_attributes")
class LearnsNothing(Words):
    lr = 0.0


@breaks("check_load_gives_encoder")
class DimIsFloat(Words):
    class encoder(WordsEncoder):
        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.dim = float(dim)


@breaks("check_load_gives_encoder")
class FingerprintIsBytes(Words):
    class encoder(WordsEncoder):
        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.fingerprint = str(self.fingerprint).encode()


@breaks("check_load_is_reproducible")
class SeededByCaller(Words):
    def load(self, *, device, random_state):
        import numpy as np

        return self.encoder(self.dim, int(np.random.get_state()[1][0]) + random_state)


@breaks("check_load_is_reproducible", "check_export_loads_the_same")
class CountsLoads(Words):
    class encoder(WordsEncoder):
        count = itertools.count()

        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.fingerprint = Fingerprint(f"{self.fingerprint}-{next(self.count)}")


@breaks("check_fingerprint_tells_weights_apart")
class AlwaysTheSameFingerprint(Words):
    class encoder(WordsEncoder):
        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.fingerprint = Fingerprint(f"words of dim {dim}")


@breaks("check_new_process_agrees")
class FingerprintByHash(Words):
    class encoder(WordsEncoder):
        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.fingerprint = Fingerprint(str(hash(self.fingerprint)))


@breaks("check_new_process_agrees")
class WordsByHash(Words):
    class encoder(WordsEncoder):
        def number(self, word):
            return 1 + hash(word) % 63


@breaks("check_loads_share_no_memory")
class LoadsOnce(Words):
    @staticmethod
    @functools.cache
    def cached(dim, seed):
        return WordsEncoder(dim, seed)

    def load(self, *, device, random_state):
        return self.cached(self.dim, random_state)


@breaks("check_load_keeps_random_state")
class SeedsTorch(Words):
    def load(self, *, device, random_state):
        import torch

        torch.default_generator.manual_seed(random_state)
        return super().load(device=device, random_state=random_state)


@breaks("check_load_keeps_random_state")
class SeedsNumPy(Words):
    def load(self, *, device, random_state):
        import numpy as np

        np.random.seed(random_state)
        return super().load(device=device, random_state=random_state)


@breaks("check_load_keeps_random_state")
class SeedsPython(Words):
    def load(self, *, device, random_state):
        import random

        random.seed(random_state)
        return super().load(device=device, random_state=random_state)


def with_blocks(change):
    class encoder(WordsEncoder):
        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.blocks = change(self.blocks)

    return encoder


@breaks("check_blocks_cover_parameters")
class BlocksOverlap(Words):
    encoder = with_blocks(lambda blocks: {**blocks, "bias": ["hidden.bias"]})


@breaks("check_blocks_cover_parameters")
class BlocksLackOne(Words):
    encoder = with_blocks(lambda blocks: {**blocks, "hidden": ["hidden.weight"]})


@breaks("check_blocks_cover_parameters")
class BlocksNameOthers(Words):
    encoder = with_blocks(lambda blocks: {**blocks, "hidden": [*blocks["hidden"], "hidden.scale"]})


@breaks("check_blocks_cover_parameters")
class BlocksAreTuples(Words):
    encoder = with_blocks(lambda blocks: {name: tuple(names) for name, names in blocks.items()})


@breaks("check_parameters_are_float32")
class DoublePrecision(Words):
    class encoder(WordsEncoder):
        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.module.double()

        def forward(self, batch):
            return super().forward(batch).float()


@breaks("check_export_loads_the_same")
class ExportsAnother(Words):
    def export(self, encoder, folder):
        return Words(dim=self.dim + 1)


@breaks("check_export_loads_the_same")
class ExportsFolder(Words):
    def export(self, encoder, folder):
        return folder


# --- rows and batches ---------------------------------------------------------------------------


@breaks("check_prepare_is_row_by_row")
class PadsInPrepare(Words):
    class encoder(WordsEncoder):
        def prepare(self, X):
            rows = super().prepare(X)
            longest = max(map(len, rows))
            return [[*row, *[0] * (longest - len(row))] for row in rows]


@breaks("check_prepare_is_row_by_row")
class NumbersWordsAsTheyCome(Words):
    class encoder(WordsEncoder):
        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.vocabulary = {}

        def number(self, word):
            return self.vocabulary.setdefault(word, 1 + len(self.vocabulary) % 63)


@breaks("check_prepare_is_row_by_row")
class GivesGenerator(Words):
    class encoder(WordsEncoder):
        def prepare(self, X):
            return tuple(super().prepare(X))


class Row:
    def __init__(self, numbers):
        self.numbers = numbers

    def __eq__(self, other):
        return self.numbers == other.numbers

    def __iter__(self):
        return iter(self.numbers)


@breaks("check_rows_have_length")
class RowsHaveNoLength(Words):
    class encoder(WordsEncoder):
        def prepare(self, X):
            return [Row(numbers) for numbers in super().prepare(X)]

        def collate(self, rows):
            return super().collate([list(row) for row in rows])


class Backwards(list):
    def __len__(self):
        return 100 - super().__len__()


@breaks("check_rows_have_length")
class LengthIsNotCost(Words):
    class encoder(WordsEncoder):
        def prepare(self, X):
            return [Backwards(numbers) for numbers in super().prepare(X)]

        def collate(self, rows):
            return super().collate([[number for number in row] for row in rows])  # noqa: C416


@breaks("check_collate_stacks_rows")
class CollatesFlat(Words):
    class encoder(WordsEncoder):
        def collate(self, rows):
            import torch

            words = super().collate(rows)["words"]
            return {"flat": words.flatten(), "shape": torch.tensor(words.shape)}

        def mean(self, batch):
            return super().mean({"words": batch["flat"].reshape(*batch["shape"])})


@breaks("check_collate_stacks_rows")
class CollatesToList(Words):
    class encoder(WordsEncoder):
        def collate(self, rows):
            return [super().collate(rows)]

        def mean(self, batch):
            return super().mean(batch[0])


# --- features -----------------------------------------------------------------------------------


@breaks("check_forward_gives_features")
class DoubleFeatures(Words):
    class encoder(WordsEncoder):
        def forward(self, batch):
            return super().forward(batch).double()


@breaks("check_forward_gives_features", "check_odd_inputs", "check_features_are_pooled_states")
class WidthIsNotDim(Words):
    class encoder(WordsEncoder):
        def __init__(self, dim, seed):
            super().__init__(dim, seed)
            self.dim = dim + 1


@breaks("check_batch_mates_do_not_matter")
class FeelsPadding(Words):
    class encoder(WordsEncoder):
        def mean(self, batch):
            return self.module["embeddings"](batch["words"]).mean(dim=1)


@breaks("check_batch_mates_do_not_matter")
class CentresBatch(Words):
    class encoder(WordsEncoder):
        def mean(self, batch):
            mean = super().mean(batch)
            return mean - mean.mean(dim=0) * (len(mean) > 1)


@breaks("check_evaluation_is_deterministic")
class Trembles(Words):
    class encoder(WordsEncoder):
        calls = 0

        def forward(self, batch):
            self.calls += 1
            return super().forward(batch) + 1e-6 * self.calls


@breaks("check_gradients_reach_every_block")
class DetachesEmbeddings(Words):
    class encoder(WordsEncoder):
        def mean(self, batch):
            return super().mean(batch).detach()


@breaks("check_gradients_reach_every_block")
class NeverWithGradients(Words):
    class encoder(WordsEncoder):
        def forward(self, batch):
            import torch

            with torch.no_grad():
                return super().forward(batch)


@breaks("check_state_dict_holds_all")
class RunningMeanOutside(Words):
    class encoder(WordsEncoder):
        running = 0.0

        def mean(self, batch):
            mean = super().mean(batch)
            if self.module.training:
                self.running = 0.9 * self.running + 0.1 * mean.detach().mean(dim=0)
            return mean - self.running


@breaks("check_odd_inputs")
class DividesByNoWords(Words):
    class encoder(WordsEncoder):
        def mean(self, batch):
            count = (batch["words"] > 0).sum(dim=1, keepdim=True)
            return self.module["embeddings"](batch["words"]).sum(dim=1) / count


@breaks("check_odd_inputs")
class WantsWords(Words):
    class encoder(WordsEncoder):
        def prepare(self, X):
            rows = super().prepare(X)
            for row in rows:
                row[0]
            return rows


class SplitEncoder(WordsEncoder):
    can_split = True

    def forward_until(self, batch, block):
        return self.mean(batch) if block == "hidden" else batch

    def forward_from(self, state, block):
        return self.module["hidden"](state).tanh() if block == "hidden" else self.forward(state)


class Split(Words):
    """Average words, in two halves.

    Parameters
    ----------
    dim : int, default=4
        Width of the features.
    """

    encoder = SplitEncoder


@breaks("check_features_are_pooled_states")
class PoolsOtherwise(Words):
    class encoder(WordsEncoder):
        def pool(self, hidden, mask):
            return 2 * hidden[:, 0]


@breaks("check_blocks_cover_parameters")
class NeverTrainsWhatIsNotThere(Words):
    class encoder(WordsEncoder):
        never_train = frozenset({"output.weight"})


@breaks("check_forward_can_be_split")
class HalfSplit(Words):
    class encoder(WordsEncoder):
        can_split = True

        def forward_until(self, batch, block):
            return batch


@breaks("check_forward_can_be_split")
class SplitsAboveBlock(Words):
    class encoder(SplitEncoder):
        def forward_until(self, batch, block):
            return self.mean(batch) if block == "embeddings" else self.forward(batch)

        def forward_from(self, state, block):
            return self.module["hidden"](state).tanh() if block == "embeddings" else state


# --- the tests ----------------------------------------------------------------------------------


class Pixels(Words):
    """Average the rows of images.

    Parameters
    ----------
    dim : int, default=4
        Width of the features.
    """

    modality = "image"

    class encoder(WordsEncoder):
        def prepare(self, X):
            return [1 + image.mean(axis=(1, 2)).astype(int) % 63 for image in X]


# --- learning from inputs -----------------------------------------------------------------------


class LearnedEncoder(WordsEncoder):
    """Words of a vocabulary have rows of their own, drawn by the word; others share the first."""

    def __init__(self, dim, seed, vocabulary):
        import torch

        super().__init__(dim, seed)
        self.vocabulary = vocabulary
        table = torch.cat([self.drawn(word, seed) for word in ("", "?", *vocabulary)])
        weights = torch.nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0)
        self.module["embeddings"] = weights
        self.growing = frozenset({"embeddings.weight"})
        named = hashlib.sha256(repr(vocabulary).encode()).hexdigest()
        weights = hashlib.sha256(repr((dim, seed)).encode()).hexdigest()
        self.fingerprint = Fingerprint(weights, named)

    def drawn(self, word, seed):
        import torch

        seed = int.from_bytes(hashlib.md5(f"{seed} {word}".encode()).digest()[:4], "big")
        return torch.randn(1, self.dim, generator=torch.Generator().manual_seed(seed))

    def number(self, word):
        return 2 + self.vocabulary.index(word) if word in self.vocabulary else 1


class Learned(Words):
    """Average words of a vocabulary.

    Parameters
    ----------
    dim : int, default=4
        Width of the features.
    vocabulary : tuple of str, default=()
        Words that have a row of their own.
    """

    encoder = LearnedEncoder

    def __init__(self, dim=4, vocabulary=()):
        self.dim = dim
        self.vocabulary = vocabulary

    def learned_from(self, X, earlier=None):
        known = self.known(earlier)
        words = dict.fromkeys((*known, *(word for text in X for word in text.split())))
        return type(self)(self.dim, tuple(words))

    def known(self, earlier):
        return self.vocabulary if earlier is None else earlier.vocabulary

    def load(self, *, device, random_state):
        return self.encoder(self.dim, random_state, self.vocabulary)


@breaks("check_learning_leaves_the_plugin_alone")
class LearnsInPlace(Learned):
    def learned_from(self, X, earlier=None):
        learned = super().learned_from(X, earlier)
        if earlier is None:
            self.vocabulary = learned.vocabulary
        return learned


@breaks("check_learning_leaves_the_plugin_alone")
class GivesWords(Learned):
    def learned_from(self, X, earlier=None):
        return [word for text in X for word in text.split()]


@breaks("check_learning_leaves_the_plugin_alone", "check_learning_keeps_places")
class LearnsByHash(Learned):
    order = itertools.count()

    def learned_from(self, X, earlier=None):
        learned = super().learned_from(X, earlier)
        shift = next(self.order) % len(learned.vocabulary)
        words = learned.vocabulary
        return type(self)(self.dim, (*words[shift:], *words[:shift]))


@breaks("check_learning_keeps_places")
class NumbersAnew(Learned):
    def learned_from(self, X, earlier=None):
        words = sorted({*self.known(earlier), *(word for text in X for word in text.split())})
        return type(self)(self.dim, tuple(words))


@breaks("check_learning_keeps_places")
class GrowsInSilence(Learned):
    class encoder(LearnedEncoder):
        def __init__(self, dim, seed, vocabulary):
            super().__init__(dim, seed, vocabulary)
            self.growing = frozenset()


@breaks("check_learning_keeps_places")
class OtherWeightsByName(Learned):
    class encoder(LearnedEncoder):
        def __init__(self, dim, seed, vocabulary):
            super().__init__(dim, seed, vocabulary)
            self.fingerprint = Fingerprint("-".join(self.fingerprint))


@pytest.mark.parametrize("plugin", [Words(), Words(dim=3), Split(), Pixels(), Learned()], ids=repr)
def test_sound_plugin_passes(plugin, failures):
    assert failures(plugin, every=True) == {}


@pytest.mark.parametrize(("cls", "params", "names"), DEFECTS)
def test_defect_is_caught(cls, params, names, failures):
    # Some defects reseed the global generators.
    with random_states_kept():
        assert failures(cls(**params), *names).keys() == names


def test_every_check_catches_a_defect():
    known = set().union(*(defect.values[2] for defect in DEFECTS))
    assert {check.__name__ for check in contract_checks(Words())} - COMMON == known
