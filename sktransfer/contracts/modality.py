"""The contract of modalities: what an input is."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import IO, Any, ClassVar

from sktransfer._warnings import warn_user
from sktransfer.contracts.backbone import Backbone
from sktransfer.contracts.base import Plugin
from sktransfer.contracts.encoder import Encoder, Truncation
from sktransfer.contracts.inputs import Inputs
from sktransfer.contracts.shell import FileFormats, ShellOption

__all__ = ["Modality", "Variation"]

# Of the inputs that are skipped, so many are named in the warning.
_NAMED = 3


class Variation:
    """Other inputs that mean the same, such as pictures that are flipped.

    Attributes
    ----------
    n_views : int
        Number of views of each input that blocks which do not train see, the input as it is among
        them.
    mixup : float
        Parameter of the Beta distribution by which two rows of a batch are mixed; 0 mixes none.
    """

    n_views: int = 1
    mixup: float = 0.0

    def view(self, x: Any, seed: int) -> Any:
        """Make another input that means the same.

        Parameters
        ----------
        x : input
            A validated input.
        seed : int
            The same seed gives the same view.

        Returns
        -------
        view : input
            Hashable. If its attributes ``origin``, ``how`` and ``of`` say what it shows, fits of a
            search share what they compute of it.
        """
        raise NotImplementedError(f"{type(self).__name__}.view")


class Modality(Plugin):
    """What an input is: a text, a picture, a sound, a sequence of words.

    A modality is a parameter object whose parameters are options about inputs. Estimators of the
    modality have parameters of the same names, which both get by inheriting from one class with
    `sktransfer.plugins.with_parameters`.

    Attributes
    ----------
    name : str
        What estimators and backbones name it by, and its name in the registry.
    plural : str
        What its inputs are called in messages, such as ``"texts"``.
    default_backbone : str
        Name of a backbone that a user may take.
    hub_backbone : str
        Name of the backbone that loads any model of the hub or of a folder, by its parameter
        ``model``; empty where there is none.
    fitted_attributes : tuple of str
        Names of the fitted attributes that `report` gives.
    augmentations : tuple of str
        Names of own parameters that hold a parameter object with a search space of its own.
    suffixes : frozenset of str
        Suffixes of files that hold one input each, in small letters and with their dots; empty
        where inputs are no files. The command line reads folders of such files, and tables with a
        column of their paths, ``--<name> COLUMN``, relative to ``--<name>-folder``. Where it is
        empty, the column holds the inputs themselves.
    options : tuple of ShellOption
        Own parameters that the command line has options for.
    lenient : mapping of str to object
        Own parameters, and the values with which inputs that cannot be read are skipped; empty
        where none are.
    draws_worst : bool
        Whether `draw_worst` is implemented.
    """

    name: ClassVar[str]
    plural: ClassVar[str]
    default_backbone: ClassVar[str]
    hub_backbone: ClassVar[str] = ""
    fitted_attributes: ClassVar[tuple[str, ...]] = ()
    augmentations: ClassVar[tuple[str, ...]] = ()
    suffixes: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[tuple[ShellOption, ...]] = ()
    lenient: ClassVar[Mapping[str, Any]] = {}
    draws_worst: ClassVar[bool] = False

    @classmethod
    def formats(cls) -> FileFormats:
        """Say which files hold inputs; by default those of ``suffixes``.

        Returns
        -------
        formats : FileFormats
        """

        def is_read(path: str | os.PathLike[str]) -> bool:
            return os.path.splitext(os.fspath(path))[1].lower() in cls.suffixes

        return FileFormats(cls.name, cls.plural, is_read, is_read)

    @abstractmethod
    def validate(self, X: Any, *, start: int = 0) -> Inputs:
        """Validate inputs of a fitted estimator.

        Parameters
        ----------
        X : array-like of n inputs
            As users pass them.
        start : int, default=0
            Position of the first input, for messages; an iterator is read in chunks.

        Returns
        -------
        inputs : Inputs

        Raises
        ------
        ValueError
            If X is empty, or something in it is missing or cannot be read; names the position.
        TypeError
            If something in X is of another type.
        """

    def validate_fit(self, X: Any, backbone: Backbone, *, skip: bool = True) -> Inputs:
        """Validate inputs that are trained on; by default as those of a fitted estimator.

        Parameters
        ----------
        X : array-like of n inputs
            As users pass them.
        backbone : Backbone
            What will encode them.
        skip : bool, default=True
            Whether inputs that cannot be read may be skipped, where an option asks for it.

        Returns
        -------
        inputs : Inputs
        """
        return self.validate(X)

    def unreadable(self, inputs: Inputs) -> dict[int, str]:
        """Find inputs that can only be found unreadable by reading them, if they may be skipped.

        Parameters
        ----------
        inputs : Inputs
            Validated.

        Returns
        -------
        reasons : dict of int to str
            Positions, and why, as sentences that name the input; empty by default.
        """
        return {}

    def warn_of_skipped(self, skipped: Mapping[int, str], n_inputs: int, consequence: str) -> None:
        """Warn of inputs that cannot be read, and name the first of them.

        Parameters
        ----------
        skipped : mapping of int to str
            Positions, and why each one cannot be read.
        n_inputs : int
            How many inputs there are.
        consequence : str
            What happens to them.
        """
        reasons = list(skipped.values())
        first = "; ".join(reasons[:_NAMED]) + ("; ..." if len(reasons) > _NAMED else "")
        warn_user(
            f"{len(skipped)} of {n_inputs} {self.plural} cannot be read; {consequence}: {first}"
        )

    def check_like_fitted(self, inputs: Inputs, fitted: Mapping[str, Any]) -> None:
        """Check that inputs are of the kind that an estimator was fitted on.

        Parameters
        ----------
        inputs : Inputs
            Validated.
        fitted : mapping of str to object
            The fitted attributes of the estimator.

        Raises
        ------
        ValueError
            If they are of another kind; by default there is one kind.
        """
        return

    @classmethod
    def earlier_params(cls, fitted: Mapping[str, Any]) -> dict[str, Any]:
        """Give options of a model that was saved before there were these options.

        Parameters
        ----------
        fitted : mapping of str to object
            The fitted attributes of the model.

        Returns
        -------
        params : dict of str to object
            Options by name; those that are not in it have their defaults.
        """
        return {}

    def backbone_params(self) -> dict[str, Any]:
        """Give the options that are parameters of the backbone.

        Returns
        -------
        params : dict of str to object
            By name; those that were left at their defaults are not in it.
        """
        return {}

    def check_options(self) -> None:
        """Check options that a constraint cannot check, before data is touched.

        Raises
        ------
        ValueError
            If they do not fit together.
        """
        return

    def variation(self) -> Variation | None:
        """Say how inputs are augmented in training.

        Returns
        -------
        variation : Variation or None
            None, the default, where they are not.
        """
        return None

    def report(
        self, inputs: Inputs, backbone: Backbone, truncation: Truncation | None
    ) -> dict[str, Any]:
        """Give fitted attributes about the training inputs.

        Parameters
        ----------
        inputs : Inputs
            What was trained on.
        backbone : Backbone
            What encoded them.
        truncation : Truncation or None
            What was not read of them.

        Returns
        -------
        attributes : dict of str to object
            Those that ``fitted_attributes`` names.
        """
        return {}

    @abstractmethod
    def examples(
        self, encoder: Encoder, backbone: Backbone, fitted: Mapping[str, Any]
    ) -> list[Any]:
        """Give some validated inputs of different lengths, for what has to be tried out.

        Parameters
        ----------
        encoder : Encoder
            What will encode them.
        backbone : Backbone
            What loaded it.
        fitted : mapping of str to object
            The fitted attributes of the estimator.

        Returns
        -------
        inputs : list of inputs
        """

    @abstractmethod
    def samples(self) -> list[Any]:
        """Give five small inputs of different lengths or sizes, for conformance checks.

        Returns
        -------
        inputs : list of 5 inputs
            As users pass them and encoders read them. The second is longer than the first, if
            inputs have lengths.
        """

    def odd_samples(self) -> dict[str, Any]:
        """Give inputs that go wrong easily, such as an empty one, for conformance checks.

        Returns
        -------
        inputs : dict of str to input
            What is odd about each one, and the input; empty by default.
        """
        return {}

    def baseline(self, task: str = "classification") -> Any:
        """Make the plain pipeline that transfer learning is compared with.

        Parameters
        ----------
        task : {"classification", "multilabel", "regression"}, default="classification"
            What it predicts: a label of each row, a column of 0 and 1 for each label, or a number.

        Returns
        -------
        pipeline : sklearn.pipeline.Pipeline
            Takes inputs as users pass them. The names of its steps are printed.

        Raises
        ------
        NotImplementedError
            If the modality has none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no plain baseline.")

    def draw_worst(
        self,
        X: Any,
        true: Sequence[Any],
        probabilities: Any,
        classes: Sequence[Any],
        file: IO[bytes],
    ) -> None:
        """Draw the inputs that were predicted wrongly, the most confident mistakes first.

        Parameters
        ----------
        X : array-like of n inputs
            As users pass them.
        true : sequence of n labels
            Labels are the same if they read the same.
        probabilities : ndarray of shape (n, n_classes)
            What was predicted.
        classes : sequence of n_classes labels
            Of the columns of ``probabilities``.
        file : binary file
            What the picture is written to, as PNG.

        Raises
        ------
        NotImplementedError
            If inputs of the modality are not drawn.
        """
        raise NotImplementedError(f"{self.plural} are not drawn on a sheet.")

    def set_tags(self, tags: Any) -> None:
        """Declare what scikit-learn should know of the inputs.

        Parameters
        ----------
        tags : sklearn.utils.Tags
            Changed in place.
        """
        tags.input_tags.two_d_array = False
