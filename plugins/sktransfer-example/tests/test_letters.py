"""The example is held to the contract, and found by its name."""

import torch
from sktransfer_example import LettersBackbone

from sktransfer.plugins import available, resolve
from sktransfer.testing import parametrize_with_contracts


@parametrize_with_contracts([LettersBackbone])
def test_contract(plugin, check):
    check(plugin)


def test_found_by_name():
    assert isinstance(resolve("backbone", "letters"), LettersBackbone)


def test_listed_with_its_distribution():
    entry = next(info for info in available("backbone") if info.name == "letters")
    assert entry.distribution == "sktransfer-example"
    assert not entry.shadowed_by


def test_reads_no_more_than_asked_for():
    encoder = LettersBackbone(dim=4, max_length=3).load(device="cpu", random_state=0)
    assert encoder.prepare(["abcdef", "ab", "", "ééé"]) == [
        [98, 99, 100],
        [98, 99],
        [],
        [196, 170, 196],
    ]


def test_half_of_an_emoji_is_a_question_mark():
    encoder = LettersBackbone(dim=4).load(device="cpu", random_state=0)
    assert encoder.prepare(["\ud83d"]) == encoder.prepare(["?"])


def test_padding_counts_for_nothing():
    encoder = LettersBackbone(dim=4).load(device="cpu", random_state=0)
    short = encoder.forward({"letters": torch.tensor([[5, 6]])})
    padded = encoder.forward({"letters": torch.tensor([[5, 6, 0, 0]])})
    torch.testing.assert_close(short, padded)
