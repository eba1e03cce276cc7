"""Texts, or pairs of texts, as inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sktransfer._warnings import warn_user
from sktransfer.contracts import (
    Backbone,
    Encoder,
    Inputs,
    Modality,
    ShellOption,
    Truncation,
    with_parameters,
)
from sktransfer.modalities.text.options import TextParameters
from sktransfer.modalities.text.validation import (
    check_texts,
    share_not_latin,
    warn_of_giants,
    warn_of_paths,
)

__all__ = ["TextModality"]

# From these shares of cut tokens, of letters and of unknown tokens on, a warning says what helps.
_MANY_CUT = 0.1
_MANY_NOT_LATIN = 0.5
_MANY_UNKNOWN = 0.05


@with_parameters
class TextModality(TextParameters, Modality):
    """Texts as str, or pairs of texts as tuples."""

    name: ClassVar[str] = "text"
    plural: ClassVar[str] = "texts"
    default_backbone: ClassVar[str] = "minilm"
    hub_backbone: ClassVar[str] = "transformer"
    fitted_attributes: ClassVar[tuple[str, ...]] = (
        "pair_columns_",
        "pairs_",
        "truncation_report_",
    )
    options: ClassVar[tuple[ShellOption, ...]] = (
        ShellOption("max_length", "Tokens of a text that are read.", int, minimum=1),
    )

    def validate(self, X: Any, *, start: int = 0) -> Inputs:
        """Validate texts, or pairs of texts, of a fitted estimator."""
        return check_texts(X, pairs=self.pairs, start=start, missing=self.missing)

    def validate_fit(self, X: Any, backbone: Backbone, *, skip: bool = True) -> Inputs:
        """Validate training texts, and warn of paths and of scripts unknown to the backbone."""
        if self.pairs and not backbone.reads_pairs:
            raise ValueError(
                f"pairs=True needs a backbone that reads pairs of texts, such as "
                f"{self.default_backbone!r}, but backbone is {backbone!r}. Or join the texts of "
                "each pair."
            )
        texts = check_texts(X, pairs=self.pairs, fitting=True, missing=self.missing)
        warn_of_paths(texts)
        if backbone.english_only and (share := share_not_latin(texts)) > _MANY_NOT_LATIN:
            warn_user(
                f"{share:.0%} of the letters of the training texts are not Latin, but the "
                "backbone was trained on English alone: backbone='multilingual' reads 100 "
                "languages."
            )
        return texts

    def check_like_fitted(self, inputs: Inputs, fitted: Mapping[str, Any]) -> None:
        """Check that pairs are read as in the fit, and warn of texts that are hardly read."""
        if self.pairs != fitted["pairs_"]:
            raise ValueError(
                f"pairs={self.pairs}, but the estimator was fitted with pairs={fitted['pairs_']}: "
                "fit it again, or set the parameter back."
            )
        if "truncation_report_" in fitted:
            warn_of_giants(inputs)
        known, columns = fitted.get("pair_columns_"), list(inputs.columns or ())
        if known is not None and columns != known and set(columns) == set(known):
            raise ValueError(
                f"X has the columns {columns}, but the estimator was fitted on them as {known}: "
                f"pass X[{known}]."
            )

    def backbone_params(self) -> dict[str, Any]:
        """Give the options about long texts that were set."""
        params: dict[str, Any] = {}
        if self.max_length is not None:
            params["max_length"] = int(self.max_length)
        if self.long_text != "truncate":
            params["long_text"] = self.long_text
        if self.stride is not None:
            params["stride"] = int(self.stride)
        return params

    def report(
        self, inputs: Inputs, backbone: Backbone, truncation: Truncation | None
    ) -> dict[str, Any]:
        """Say whether texts came in pairs, and what was cut; warn where that is much."""
        report: dict[str, Any] = {"pairs_": self.pairs}
        if self.pairs:
            report["pair_columns_"] = None if inputs.columns is None else list(inputs.columns)
        if truncation is None:
            return report
        if truncation.n_cut > _MANY_CUT * truncation.n_tokens:
            reads_more = any(name.endswith("long_text") for name in backbone.get_params())
            warn_user(
                f"{truncation.n_cut / truncation.n_tokens:.0%} of the training texts' tokens are "
                f"cut off, in {truncation.n_inputs} of {len(inputs)} texts: "
                + (
                    "long_text='window_mean' reads them all, long_text='head_tail' reads both ends."
                    if reads_more
                    else "a larger max_length reads more."
                ),
                about="tokens that are cut off",
                model=repr(backbone),
            )
        share = truncation.n_unknown / max(1, truncation.n_tokens)
        # Texts of another script have their own warning.
        other_script = backbone.english_only and share_not_latin(inputs) > _MANY_NOT_LATIN
        if share > _MANY_UNKNOWN and not other_script:
            better = " backbone='multilingual' knows most of them." if backbone.english_only else ""
            warn_user(
                f"{share:.0%} of the training texts' tokens, such as emoji, are unknown to the "
                f"backbone, for which they are all the same.{better}",
                about="unknown tokens",
                model=repr(backbone),
            )
        report["truncation_report_"] = {
            "texts": len(inputs),
            "texts_cut": truncation.n_inputs,
            "tokens": truncation.n_tokens,
            "tokens_cut": truncation.n_cut,
        }
        return report

    @classmethod
    def earlier_params(cls, fitted: Mapping[str, Any]) -> dict[str, Any]:
        """Read pairs where a model was fitted on a frame of two columns, before ``pairs``."""
        return {"pairs": bool(fitted.get("pairs_", False))}

    def examples(
        self, encoder: Encoder, backbone: Backbone, fitted: Mapping[str, Any]
    ) -> list[Any]:
        """Give texts of different lengths, the first of several windows where there are any."""
        words = "a film that is neither good nor bad, but long: "
        params = backbone.get_params()
        long_text = next((v for name, v in params.items() if name.endswith("long_text")), "")
        windows = "window" in str(long_text) and encoder.max_length is not None
        n_words = 2 * (encoder.max_length or 0) if windows else 600
        texts = [words * n for n in (n_words // 10 + 1, n_words // 20, 1, 12, 3)] + ["", "good"]
        return [(text, words) for text in texts] if fitted["pairs_"] else texts

    def samples(self) -> list[str]:
        """Give texts of different lengths and scripts."""
        return [
            "good",
            "a rather long sentence about nothing in particular, with words enough to differ",
            "Not good. Not at all!",
            "Ünïcödé, 数字 and 12,345",
            "good bad good",
        ]

    def odd_samples(self) -> dict[str, str]:
        """Give empty, strange and very long texts."""
        return {
            "the empty text": "",
            "a blank": " ",
            "blank lines": "\n\t \r\n",
            "emoji joined into one": "\U0001f469\u200d\U0001f469\u200d\U0001f467",
            "right-to-left writing": "\u202eשלום مرحبا",
            "a NUL character": "before\x00after",
            "what looks like a special token": "[SEP] <s> [PAD]",
            "a combining mark alone": "\u0301",
            "a word of 100,000 letters": "a" * 100_000,
        }

    def baseline(self, task: str = "classification") -> Any:
        """Make TF-IDF with a logistic regression, one for each label, or a ridge regression."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import FunctionTransformer

        steps: list[tuple[str, Any]] = [
            # Words of one letter count too, so that no text is without any.
            ("TF-IDF", TfidfVectorizer(token_pattern=r"(?u)\b\w+\b"))
        ]
        if self.pairs:
            steps.insert(0, ("joined pairs", FunctionTransformer(joined_pairs)))
        if task == "regression":
            return Pipeline([*steps, ("ridge regression", Ridge())])
        if task == "multilabel":
            each = LogisticRegression(max_iter=1000, class_weight="balanced")
            return Pipeline([*steps, ("a logistic regression a label", OneVsRestClassifier(each))])
        return Pipeline([*steps, ("logistic regression", LogisticRegression(max_iter=1000))])

    def set_tags(self, tags: Any) -> None:
        """Declare that texts come in one column."""
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False


def joined_pairs(X: Any) -> list[str]:
    """Join the two texts of each pair."""
    return ["\n".join(pair) for pair in check_texts(X, pairs=True)]
