"""One class a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from sktransfer.contracts import Head
from sktransfer.tasks.calibration import best_temperature
from sktransfer.tasks.labels import LabelTask, to_codes

if TYPE_CHECKING:
    import torch

__all__ = ["MulticlassTask"]

_TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True, eq=False)
class MulticlassTask(LabelTask):
    """Labels of which exactly one is right for each row.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    class_weight : dict, "balanced" or None
        As in scikit-learn.
    smoothing : float
        Fraction of each row's label that is spread evenly over all labels [1]_.
    calibrates : bool
        Whether a temperature is fitted on held-out rows.
    temperature : float or None
        What outputs are divided by; None without calibration.

    References
    ----------
    .. [1] Szegedy, C., Vanhoucke, V., Ioffe, S., Shlens, J. and Wojna, Z. (2016). Rethinking the
       Inception architecture for computer vision. CVPR. arXiv:1512.00567.
    """

    unit: ClassVar[str] = "class"
    classes: np.ndarray
    class_weight: Any = None
    smoothing: float = 0.0
    calibrates: bool = False
    temperature: float | None = None

    @property
    def names(self) -> np.ndarray:
        """The labels, sorted."""
        return self.classes

    def encode(self, y: Any) -> np.ndarray:
        """Turn labels into positions in ``classes``; a label outside is an error."""
        return to_codes(y, self.classes)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Turn positions into labels."""
        return self.classes[values]

    def loss(self, head: Head, outputs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Compute the head's own loss of each row, with label smoothing."""
        import torch

        loss = head.loss(outputs, values)
        if not self.smoothing:
            return loss
        n_outputs = outputs.shape[1]
        # The head's own loss is computed for every label, so that smoothing works for any head.
        every = [head.loss(outputs, torch.full_like(values, k)) for k in range(n_outputs)]
        return (1.0 - self.smoothing) * loss + self.smoothing * torch.stack(every).mean(dim=0)

    def penalty(self, n_outputs: int) -> float:
        """Give 2 for two outputs.

        A softmax over two rows spreads the one vector of the binary logistic regression over
        both; this makes the solution that of scikit-learn's LogisticRegression.
        """
        return 2.0 if n_outputs == 2 else 1.0

    def decide(self, outputs: torch.Tensor) -> torch.Tensor:
        """Give the code of the likeliest label."""
        return outputs.argmax(dim=1)

    def errors(self, head: Head, outputs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Give 1 for each row that gets a wrong label, and 0 for the others.

        The log loss would choose weaker penalties, which predict fewer labels right: see decision
        record 0028.
        """
        return (self.decide(outputs) != values).to(outputs.dtype)

    def predict_proba(
        self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()
    ) -> np.ndarray:
        """Give probabilities of shape (n, n_classes) that sum to 1 in double precision."""
        proba = head.to_proba(outputs.double() / (self.temperature or 1.0)).numpy()
        return proba / proba.sum(axis=1, keepdims=True)

    def decision_function(
        self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()
    ) -> np.ndarray:
        """Give log-odds, of the second label alone where there are two."""
        log = np.log(np.maximum(self.predict_proba(head, outputs), _TINY))
        return log[:, 1] - log[:, 0] if log.shape[1] == 2 else log

    def predict(self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()) -> np.ndarray:
        """Give the likeliest labels."""
        return self.classes[self.predict_proba(head, outputs).argmax(axis=1)]

    def calibrate(
        self, head: Head, outputs: torch.Tensor, values: np.ndarray, weights: np.ndarray
    ) -> MulticlassTask:
        """Fit the temperature on held-out rows, where that is wanted."""
        if not self.calibrates:
            return self
        rows = np.arange(len(values))

        def loss(temperature: float) -> float:
            scaled = replace(self, temperature=temperature)
            proba = scaled.predict_proba(head, outputs)[rows, values]
            return float(-np.average(np.log(np.maximum(proba, _TINY)), weights=weights))

        return replace(self, temperature=best_temperature(loss, len(values)))

    def row_weights(self, values: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
        """Multiply class and sample weights into one vector."""
        if self.class_weight is None:
            return sample_weight
        per_class = self._class_weights(values, sample_weight)
        weights = sample_weight * per_class[values]
        if not weights.any():
            raise ValueError(
                "class_weight and sample_weight together leave every row at weight zero."
            )
        return weights

    def _class_weights(self, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        classes, class_weight = self.classes, self.class_weight
        if not isinstance(class_weight, dict):
            used = weights > 0
            present = np.unique(codes[used])
            per_class = np.ones(len(classes))
            per_class[present] = compute_class_weight(
                class_weight,
                classes=classes[present],
                y=classes[codes[used]],
                sample_weight=weights[used],
            )
            return per_class
        names = classes.tolist()
        unknown = [label for label in class_weight if label not in names]
        lacking = [
            label for label in classes[np.unique(codes)].tolist() if label not in class_weight
        ]
        if unknown and lacking:
            raise ValueError(f"class_weight names {unknown}, but the labels are {names}.")
        per_class = np.array([class_weight.get(label, 1.0) for label in names], dtype=np.float64)
        bad = [n for n, w in zip(names, per_class, strict=True) if not (np.isfinite(w) and w >= 0)]
        if bad:
            raise ValueError(
                f"class_weight has to be finite and not negative, but is not for {bad}."
            )
        return per_class

    def check_trainable(self, values: np.ndarray) -> None:
        """Refuse rows that all have the same label."""
        if len(np.unique(values)) < 2:
            raise ValueError(
                "y needs labels of at least 2 classes, but contains only one class: "
                f"{self.classes.tolist()[values[0]]!r}."
            )

    def rows_each(self, values: np.ndarray) -> float:
        """Count the rows for each class, on average."""
        return len(values) / len(self.classes)

    def strata(self, values: np.ndarray) -> np.ndarray:
        """Give the codes of the labels."""
        return values

    def attributes(self) -> dict[str, Any]:
        """Give ``classes_``, ``multilabel_`` and, where there is one, ``temperature_``."""
        fitted: dict[str, Any] = {"classes_": self.classes, "multilabel_": False}
        if self.temperature is not None:
            fitted["temperature_"] = self.temperature
        return fitted

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> MulticlassTask:
        """Make the task of a fitted classifier."""
        return cls(attributes["classes_"], temperature=attributes.get("temperature_"))
