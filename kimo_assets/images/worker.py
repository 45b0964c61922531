"""A process that makes pictures: tasks on stdin, results on stdout, as lines of JSON.

Imports only what decoding and writing need, so that it starts fast and stays small. It ends with
its stdin. A picture that costs this process its life costs nothing else (worker_pool.py).
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
from kimo_assets.texts import say

READY = b"ready\n"


def main() -> None:
    """Takes pictures from standard input until it is closed."""
    # Ctrl-C goes to the whole group of processes; our parent ends us when it is time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks, results = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a decoder prints goes to stderr, so that it cannot stand between the results.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    options = json.loads(tasks.readline())
    recipe, public = Recipe(**options["recipe"]), Path(options["public"])
    # Pillow's own guard also rejects a TIFF whose tiles are larger than itself. Here the setting
    # concerns no other code of the process.
    Image.MAX_IMAGE_PIXELS = recipe.max_pixels
    results.write(READY)
    results.flush()
    while line := tasks.readline():
        result = _result(json.loads(line), tasks, recipe, public)
        results.write(json.dumps(result).encode() + b"\n")
        results.flush()


def _result(task: dict[str, Any], tasks: BinaryIO, recipe: Recipe, public: Path) -> dict[str, Any]:
    """Makes one picture, unless its hash is `known`.

    task: {path, root} of a file, or {bytes}: so many follow.
    Returns {sha256} and {original, public} when it was made, {problem} and whether that is
    `lasting`: of the content, not of the circumstances. Or {stopped}: the public folder cannot be
    written.
    """
    try:
        data = _data(task, tasks, recipe)
    except PictureError as error:
        return {"problem": str(error), "lasting": True}
    except OSError as error:
        problem = say("images.picture.unreadable", reason=error.strerror or error)
        return {"problem": problem, "lasting": False}
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 == task["known"]:
        return {"sha256": sha256}
    try:
        rendition = render(data, recipe)
        picture = publish(public, rendition)
    except PictureError as error:
        return {"sha256": sha256, "problem": str(error), "lasting": True}
    except OSError as error:
        return {"stopped": f"{error.filename or public}: {error.strerror or error}"}
    return {"sha256": sha256, "original": asdict(rendition.original), "public": asdict(picture)}


def _data(task: dict[str, Any], tasks: BinaryIO, recipe: Recipe) -> bytes:
    if "bytes" in task:
        return tasks.read(task["bytes"])
    return _read(task["path"], task["root"], recipe)


def _read(path: str, root: str, recipe: Recipe) -> bytes:
    """What the listing saw may have become a link to somewhere else since."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise PictureError(say("images.picture.link_out"))
    with open(path, "rb") as file:
        check_size(os.fstat(file.fileno()).st_size, recipe)
        return file.read(recipe.max_bytes + 1)


if __name__ == "__main__":
    main()
