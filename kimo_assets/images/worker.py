"""A process that makes pictures, one after another: tasks on stdin, what became of each on stdout,
as lines of JSON.

Imports only what decoding and writing need, so that it starts fast and stays small; it ends with
its stdin. A picture that costs this process its life costs nothing else (workers.py).
"""

import hashlib
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from kimo_assets.images.picture import PictureError, Recipe, check_size, render
from kimo_assets.images.public_folder import publish

READY = b"ready\n"


def main() -> None:
    # Ctrl-C goes to the whole group of processes; the one that started us says when it is time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks, results = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    options = json.loads(tasks.readline())
    recipe, public = Recipe(**options["recipe"]), Path(options["public"])
    # Pillow's own guard, which also knows a TIFF whose tiles are larger than itself; here it is
    # nobody else's.
    Image.MAX_IMAGE_PIXELS = recipe.max_pixels
    results.write(READY)
    results.flush()
    while line := tasks.readline():
        results.write(json.dumps(_done(json.loads(line), tasks, recipe, public)).encode() + b"\n")
        results.flush()


def _done(task: dict[str, Any], tasks: BinaryIO, recipe: Recipe, public: Path) -> dict[str, Any]:
    """task: {path, root} of a file, or {bytes}: so many follow; known: the hash of what needs no
    making.

    Returns {sha256} and {original, public} when it was made, {problem} and whether that is
    `lasting`: of the content, not of the circumstances; or {stopped}: the public folder cannot be
    written.
    """
    try:
        data = (
            tasks.read(task["bytes"])
            if "bytes" in task
            else _read(task["path"], task["root"], recipe)
        )
        sha256 = hashlib.sha256(data).hexdigest()
    except PictureError as error:
        return {"problem": str(error), "lasting": True}
    except OSError as error:
        return {"problem": f"it cannot be read: {error.strerror or error}", "lasting": False}
    if sha256 == task["known"]:
        return {"sha256": sha256}
    try:
        rendition = render(data, recipe)
        return {
            "sha256": sha256,
            "original": asdict(rendition.original),
            "public": asdict(publish(public, rendition)),
        }
    except PictureError as error:
        return {"sha256": sha256, "problem": str(error), "lasting": True}
    except OSError as error:
        return {"stopped": f"{error.filename or public}: {error.strerror or error}"}


def _read(path: str, root: str, recipe: Recipe) -> bytes:
    """What the listing saw may have become a link to somewhere else since."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise PictureError("it is a link that leads outside the folder")
    with open(path, "rb") as file:
        check_size(os.fstat(file.fileno()).st_size, recipe)
        return file.read(recipe.max_bytes + 1)


if __name__ == "__main__":
    main()
