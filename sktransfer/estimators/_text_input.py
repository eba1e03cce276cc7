"""What estimators of texts share: how texts are read, and the parameters about it."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from sktransfer._compat.sklearn import Interval, StrOptions
from sktransfer._warnings import warn_user
from sktransfer.estimators._mistaken import warn_of_image_paths
from sktransfer.estimators._modality import hand_on
from sktransfer.estimators._scripts import share_not_latin
from sktransfer.estimators._texts import Pairs, check_texts
from sktransfer.plugins import Backbone

# From these shares of cut tokens, and of letters, on, a user should know that another way exists.
_MANY_CUT = 0.1
_MANY_NOT_LATIN = 0.5


class TextInput:
    """Texts, or pairs of texts, as the inputs of an estimator."""

    modality: ClassVar[str] = "text"
    backbone: Any
    backbone_: Backbone
    pairs_: bool
    max_length: int | None
    long_text: str
    stride: int | None

    _parameter_constraints: dict[str, Any] = {
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "long_text": [StrOptions({"truncate", "head_tail", "window_mean", "window_max"})],
        "stride": [Interval(Integral, 1, None, closed="left"), None],
    }

    def _set_up_inputs(self, backbone: Backbone) -> None:
        """Hand on the parameters about long texts."""
        asked = {
            "max_length": None if self.max_length is None else int(self.max_length),
            "long_text": None if self.long_text == "truncate" else self.long_text,
            "stride": None if self.stride is None else int(self.stride),
        }
        hand_on(self, backbone, asked)

    def _read_new(self, X: Any, backbone: Backbone) -> list[Any]:
        """Check texts to be trained on."""
        texts = check_texts(X, fitting=True, pairs=backbone.reads_pairs)
        warn_of_image_paths(texts)
        if backbone.english_only and (share := share_not_latin(texts)) > _MANY_NOT_LATIN:
            warn_user(
                f"{share:.0%} of the letters of the training texts are not Latin, but the "
                "backbone was trained on English alone: backbone='multilingual' reads 100 "
                "languages."
            )
        return texts

    def _read(self, X: Any, start: int = 0) -> list[Any]:
        """Check texts that a fitted estimator is given, the first of them the ``start``-th."""
        texts = check_texts(X, pairs=self.backbone_.reads_pairs, start=start)
        self._check_same_kind(texts)
        return texts

    def _check_same_kind(self, texts: list[Any]) -> None:
        pairs = isinstance(texts[0], tuple)
        if pairs != self.pairs_:
            raise ValueError(
                "X holds pairs of texts, but the estimator was fitted on texts: pass one column."
                if pairs
                else "X holds texts, but the estimator was fitted on pairs of texts: pass a frame "
                "of two columns."
            )
        known = getattr(self, "pair_columns_", None)
        columns = list(getattr(texts, "columns", ()))
        if known is not None and columns != known and set(columns) == set(known):
            raise ValueError(
                f"X has the columns {columns}, but the estimator was fitted on them as {known}: "
                f"pass X[{known}]."
            )

    def _report_on_inputs(
        self, backbone: Backbone, X: list[Any], rows: list[Any]
    ) -> dict[str, Any]:
        """Give fitted attributes about the training texts: what they are, and what was cut."""
        found: dict[str, Any] = {"pairs_": isinstance(X[0], tuple)}
        if found["pairs_"]:
            found["pair_columns_"] = list(X.columns) if isinstance(X, Pairs) else None
        if not hasattr(rows[0], "cut"):
            return found
        tokens, cut = sum(row.tokens for row in rows), sum(row.cut for row in rows)
        n_cut = sum(row.cut > 0 for row in rows)
        if cut > _MANY_CUT * tokens:
            warn_user(
                f"{cut / tokens:.0%} of the training texts' tokens are cut off, in {n_cut} of "
                f"{len(rows)} texts: "
                + (
                    "long_text='window_mean' reads them all, long_text='head_tail' reads both ends."
                    if "long_text" in backbone.get_params(deep=False)
                    else "a larger max_length reads more."
                )
            )
        found["truncation_report_"] = {
            "texts": len(rows),
            "texts_cut": n_cut,
            "tokens": tokens,
            "tokens_cut": cut,
        }
        return found

    def _examples(self, encoder: Any) -> list[Any]:
        """Give texts of different lengths, the first of several windows where there are any."""
        words = "a film that is neither good nor bad, but long: "
        windows = "window" in self.backbone_.get_params().get("long_text", "")
        n_words = 2 * encoder.max_length if windows else 600
        texts = [words * n for n in (n_words // 10 + 1, n_words // 20, 1, 12, 3)] + ["", "good"]
        return [(text, words) for text in texts] if self.pairs_ else texts

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags
