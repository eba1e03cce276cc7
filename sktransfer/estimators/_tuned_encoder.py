"""The encoder of a fitted estimator, for another task."""

from __future__ import annotations

from typing import Any, ClassVar


class TunedEncoder:
    """A mixin that gives the encoder of a fitted classifier or regressor."""

    encoder_class: ClassVar[Any]

    @property
    def encoder_(self) -> Any:
        """The tuned encoder, as a fitted transformer that `clone` keeps."""
        return self.encoder_class._from_fitted(self)
