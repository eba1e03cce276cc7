r"""How fast features of pictures are, beside a plain loop; and searches and fits that keep them.

The loop opens each file with Pillow, makes it red, green and blue, cuts and resizes it as the
backbone does, stacks 32 of them, and runs the same network in evaluation mode without gradients, in
single precision. Both run in turn in one process. Pictures are ants and bees, of 224 pixels, and
drawn JPEG files of 12 megapixels. "folding" leaves the reading out: the same pixels through the
network as it stands and as it is when nothing trains, and then batches of 32 and of 16. Of
augmentations the time is compared with that of decoding the same files.

A search over five strengths of a head's penalty in three folds is run in processes of its own, with
and without features that are kept; so is a second fit on features that the first one left. Seconds
of a whole process count Python's imports and the reading of weights.

    SKTRANSFER_DATA=... python benchmarks/images_speed.py --threads 1 \
        --json benchmarks/results/images_speed.json
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _images import unpack
from _pairs import alternate, arguments, report, seconds, write
from PIL import Image
from sklearn.model_selection import GridSearchCV
from sktransfer_vision import EfficientNetLite
from sktransfer_vision.networks import folded

from sktransfer import ImageAugmentation, TransferImageClassifier, TransferImageEncoder
from sktransfer.heads.linear import LinearHead
from sktransfer.images.image import Picture

BATCH = 32
PARTS = ["kept", "features", "network", "augmentation"]
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)


def loop(network: Any, size: int, crop: float) -> Callable[[list[str]], np.ndarray]:
    """Encode files as one would by hand."""

    def encode(paths: list[str]) -> np.ndarray:
        found = []
        with torch.inference_mode():
            for start in range(0, len(paths), BATCH):
                squares = []
                for path in paths[start : start + BATCH]:
                    picture = Image.open(path).convert("RGB")
                    side = int(crop * min(picture.size))
                    left, top = ((n - side + 1) // 2 for n in picture.size)
                    middle = picture.crop((left, top, left + side, top + side))
                    square = middle.resize((size, size), Image.Resampling.BICUBIC)
                    squares.append(torch.from_numpy(np.array(square)))
                found.append(network(torch.stack(squares)))
        return torch.cat(found).numpy()

    return encode


def large_files(n: int, folder: Path) -> list[str]:
    """Write JPEG files of 4000 x 3000 pixels with something in them at every scale."""
    rng, paths = np.random.default_rng(0), []
    for i in range(n):
        pixels = np.zeros((3000, 4000, 3))
        for side in (3, 12, 60, 300, 1500):
            coarse = rng.integers(0, 256, (side, side * 4 // 3, 3)).astype(np.uint8)
            pixels += np.asarray(Image.fromarray(coarse).resize((4000, 3000)))
        paths.append(str(folder / f"{i}.jpg"))
        Image.fromarray((pixels / 5).astype(np.uint8)).save(paths[-1], quality=88)
    return paths


def features(paths: dict[str, list[str]], rounds: int, wanted: float) -> dict[str, Any]:
    backbone = EfficientNetLite()
    encoder = backbone.load(device="cpu", random_state=0)
    network = encoder.module.eval()
    peer = loop(network, 224, backbone.crop)
    results: dict[str, Any] = {}
    for kind, files in paths.items():
        theirs = peer(files)
        for precision in ("fp32", "auto"):
            ours = TransferImageEncoder(precision=precision, device="cpu").fit(files[:2])
            own = ours.transform(files)
            cosine = np.sum(theirs * own, axis=1) / (
                np.linalg.norm(theirs, axis=1) * np.linalg.norm(own, axis=1)
            )
            measured = alternate(
                lambda f=files: peer(f), lambda f=files, o=ours: o.transform(f), rounds
            )
            rate = len(files) / float(np.median(measured["our_seconds"]))
            results[f"features, {kind}, {precision}"] = measured | {
                "lowest_cosine": float(cosine.min()),
                "mean_cosine": float(cosine.mean()),
                "pictures": len(files),
                "our_pictures_per_second": rate,
            }
            report(f"{kind}, {precision}", measured, wanted)
            print(f"  lowest cosine {cosine.min():.5f}; {rate:.0f} pictures/s", flush=True)
    return results


def networks(paths: list[str], rounds: int) -> dict[str, Any]:
    encoder = EfficientNetLite().load(device="cpu", random_state=0)
    network = encoder.module.eval()
    fast = folded(network)
    pictures = [Picture(path, i) for i, path in enumerate(paths[:96])]
    pixels = encoder.collate(encoder.prepare(pictures))["pixels"]

    def run(each: Any, n: int) -> Callable[[], None]:
        def all_batches() -> None:
            with torch.inference_mode():
                for start in range(0, len(pixels), n):
                    each(pixels[start : start + n])

        all_batches()
        return all_batches

    results: dict[str, Any] = {}
    for name, peer, ours in (
        ("folding, batches of 16", run(network, 16), run(fast, 16)),
        ("folding, batches of 32", run(network, 32), run(fast, 32)),
        ("batches of 16 beside 32, folded", run(fast, 32), run(fast, 16)),
        ("batches of 16 beside 32, as it stands", run(network, 32), run(network, 16)),
    ):
        results[name] = alternate(peer, ours, rounds) | {"pictures": len(pixels)}
        report(name, results[name])
    return results


def augmentations(paths: list[str], rounds: int) -> dict[str, Any]:
    """Compare what an augmentation takes with the decoding of the same files."""
    pictures = [Picture(path, i) for i, path in enumerate(paths[:96])]
    arrays = [picture.decoded() for picture in pictures]
    results: dict[str, Any] = {}
    for name, augmentation in (
        ("flip and crop, the defaults", ImageAugmentation()),
        (
            "all changes",
            ImageAugmentation(rotation=15, shear=10, zoom=0.2, crop=0.2, color=0.3, erasing=0.5),
        ),
    ):

        def apply(augmentation: ImageAugmentation = augmentation) -> None:
            rng = np.random.default_rng(0)
            for array in arrays:
                augmentation.apply(array, rng)

        measured = alternate(lambda: [p.decoded() for p in pictures], apply, rounds)
        each = 1000 * float(np.median(measured["our_seconds"])) / len(arrays)
        results[f"augmentation, {name}"] = measured | {"our_ms_per_picture": each}
        report(f"decoding beside {name}", measured)
        print(f"  {each:.2f} ms a picture", flush=True)
    return results


def task(kind: str, folder: str, cache: str | None) -> dict[str, Any]:
    """Do in a process of its own what is timed as a whole."""
    frame = unpack("img_hymenoptera", folder)
    frame = frame[frame.split == "train"]
    X, y = frame.path.tolist(), frame.label.to_numpy()
    decoded: list[str] = []
    real = Picture.decoded

    def counting(self: Picture, at_least: int | None = None) -> np.ndarray:
        decoded.append(str(self.source))
        return real(self, at_least)

    Picture.decoded = counting  # type: ignore[method-assign]
    clf = TransferImageClassifier(freeze="frozen", cache=cache, device="cpu", random_state=0)
    found: dict[str, Any] = {}
    if kind == "search":
        heads = [LinearHead(C=C) for C in STRENGTHS]
        search = GridSearchCV(clf, {"head": heads}, cv=3)
        found["seconds"] = seconds(lambda: search.fit(X, y))
        found["best_score"] = float(search.best_score_)
    else:
        found["seconds"] = seconds(lambda: clf.fit(X, y))
    return found | {"decoded": len(decoded), "distinct": len(set(decoded)), "pictures": len(X)}


def whole_process(kind: str, folder: str, cache: str | None, threads: int | None) -> dict[str, Any]:
    command = [sys.executable, __file__, "--task", kind, "--folder", folder]
    command += ["--cache", cache] if cache else []
    command += ["--threads", str(threads)] if threads else []
    found: dict[str, Any] = {}

    def run() -> None:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.update(json.loads(done.stdout.splitlines()[-1]))

    return {"process_seconds": seconds(run)} | found


def kept_features(folder: str, threads: int | None) -> dict[str, Any]:
    results: dict[str, Any] = {}
    on_disk = str(Path(folder) / "features")
    for name, kind, cache in (
        ("search, nothing kept", "search", None),
        ("search, kept in memory", "search", "memory"),
        ("fit, nothing kept", "fit", None),
        ("fit, keeps in a folder", "fit", on_disk),
        ("fit, finds them there", "fit", on_disk),
    ):
        results[name] = own = whole_process(kind, folder, cache, threads)
        print(
            f"{name}: {own['seconds']:.1f} s, the process {own['process_seconds']:.1f} s; "
            f"{own['decoded']} pictures decoded, {own['distinct']} distinct ones",
            flush=True,
        )
    return results


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--large", type=int, default=24, help="How many large files are drawn.")
    parser.add_argument("--parts", nargs="*", default=PARTS)
    parser.add_argument("--task", help="What a process that this one starts is to do.")
    parser.add_argument("--folder")
    parser.add_argument("--cache")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.task:
        print(json.dumps(task(args.task, args.folder, args.cache)))
        return
    with tempfile.TemporaryDirectory() as folder:
        frame = unpack("img_hymenoptera", folder)
        paths = {"small": frame.path.tolist()}
        if "features" in args.parts:
            paths["large"] = large_files(args.large, Path(folder))
        if "kept" in args.parts:
            write(args.json, kept_features(folder, args.threads), ("pillow",))
        if "features" in args.parts:
            write(args.json, features(paths, args.rounds, 1.5), ("pillow",))
        if "network" in args.parts:
            write(args.json, networks(paths["small"], args.rounds), ("pillow",))
        if "augmentation" in args.parts:
            write(args.json, augmentations(paths["small"], args.rounds), ("pillow",))


if __name__ == "__main__":
    main()
