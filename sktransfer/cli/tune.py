"""``sktransfer tune``: which settings suit a table or a folder of files, by cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as RichTable
from rich.text import Text as Plain

from sktransfer.cli import options
from sktransfer.cli._study import (
    about_study,
    is_model_of,
    is_trained_with,
    note_model,
    storage_beside,
)
from sktransfer.cli._targets import SCORERS, check_separator, read_targets
from sktransfer.cli._training import check_folder, new_estimator, number, read_examples
from sktransfer.cli._watching import TrainingStatus
from sktransfer.cli.console import results, status
from sktransfer.cli.reading import Reading, check_options

__all__ = ["tune"]

_SHOWN = 5


def tune(
    context: typer.Context,
    data: options.Data,
    trials: Annotated[int, typer.Option(min=1, help="Settings that are tried.")] = 30,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="When to stop searching.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="MODEL_DIR", help="Train with the best settings and save it there."
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="SQLite file, or database; the same command goes on where it stopped.",
            show_default="MODEL_DIR.study.db; without --model the study is not kept",
        ),
    ] = None,
    study_name: Annotated[str | None, typer.Option(help="In the storage.")] = None,
    cv: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")] = 5,
    scoring: Annotated[
        str | None,
        typer.Option(
            help="What is searched for, as scikit-learn names it.",
            show_default="accuracy; f1_macro for several labels, r2 for numbers",
        ),
    ] = None,
    n_jobs: Annotated[int | None, typer.Option(help="Folds that are trained at once.")] = None,
    label: options.Label = "label",
    encoding: options.Encoding = "utf-8",
    sep: options.Separator = "",
    task: options.Task = "auto",
    label_sep: options.LabelSeparator = "|",
    backbone: options.Backbone = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(help="Strategy to choose from, given once for each; all by default."),
    ] = None,
    head: options.Head = "linear",
    source: options.Source = None,
    max_epochs: options.MaxEpochs = "auto",
    batch_size: options.BatchSize = 16,
    balanced: options.Balanced = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    embed_backbone: options.EmbedBackbone = False,
    force: options.Force = False,
) -> None:
    """Search the settings that suit a table or a folder, and train a model with the best."""
    epochs = number(max_epochs, int, "--max-epochs")
    check_options(context, data)
    task = check_separator(context, task)
    if scoring is not None:
        _check_scorer(scoring)
    storage = storage or storage_beside(model)
    if model is not None:
        check_folder(model, source, force or is_model_of(storage, study_name, model))
    reading = Reading(context.obj, label, encoding, sep)
    inputs, values, labels = read_examples(data, reading, source)
    targets = read_targets(inputs, labels, task, label_sep)
    scoring = scoring or SCORERS[targets.task]

    from sktransfer import TransferSearchCV
    from sktransfer.tuning import SearchProgress, search_space
    from sktransfer.tuning._stop import describe_stop

    clf = new_estimator(
        inputs.modality,
        targets.task,
        context.obj,
        backbone=backbone,
        head=head,
        source=source,
        max_epochs=epochs,
        batch_size=batch_size,
        balanced=balanced,
        random_state=seed,
        device=device,
    )
    space: dict[str, Any] = search_space(clf)
    if freeze:
        space["freeze"] = list(dict.fromkeys(freeze))
    search = TransferSearchCV(
        clf,
        space,
        n_trials=trials,
        timeout=timeout,
        cv=cv,
        scoring=scoring,
        n_jobs=n_jobs,
        storage=storage,
        study_name=study_name,
        refit=False,
        random_state=seed,
    )
    status().print(about_study(storage), soft_wrap=True)
    search.set_callbacks(SearchProgress()).fit(values, targets.y)
    status().print(describe_stop(search), soft_wrap=True)
    results().print(_summary(search, scoring))
    if model is not None:
        from sktransfer.persistence.estimators import save

        best = search.study_, search.best_params_, model, embed_backbone
        if is_trained_with(*best):
            said = f"{model} was trained with the best settings before"
        else:
            doing = f"training with the best settings on {inputs.counted}"
            with TrainingStatus(doing) as shown:
                clf.set_params(**search.best_params_).set_callbacks(shown)
                clf.fit(values, targets.y)
                save(clf, model, embed_backbone=embed_backbone, columns=inputs.columns)
            note_model(*best)
            said = f"trained with the best settings on {inputs.counted}, in {model}"
        status().print(said, soft_wrap=True)
    if storage is not None and "://" not in storage:
        status().print(f"sktransfer dashboard {storage} shows all trials", soft_wrap=True)


def _check_scorer(name: str) -> None:
    """Refuse an unknown scorer; scikit-learn's own error lists all names in no order."""
    from sklearn.metrics import get_scorer_names

    from sktransfer._suggestions import nearest

    names = sorted(get_scorer_names())
    if name not in names:
        near = nearest(name, names)
        meant = f" Did you mean {near!r}?" if near else ""
        raise ValueError(
            f"scikit-learn has no scorer named {name!r}.{meant} It has: {', '.join(names)}."
        )


def _summary(search: Any, scoring: str) -> RichTable:
    """List the best trials."""
    from sktransfer.tuning.candidates import short_name

    found = search.cv_results_
    done = [i for i, state in enumerate(found["trial_state"]) if state == "complete"]
    done.sort(key=lambda i: found["rank_test_score"][i])
    table = RichTable("trial", scoring, "settings", box=None, pad_edge=False)
    for i in done[:_SHOWN]:
        mean, deviation = found["mean_test_score"][i], found["std_test_score"][i]
        table.add_row(
            str(found["trial_number"][i]),
            f"{mean:.4f} ± {deviation:.4f}",
            Plain(", ".join(f"{k}={short_name(v)}" for k, v in found["params"][i].items())),
        )
    return table
