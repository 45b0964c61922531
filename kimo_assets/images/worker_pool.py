"""Making many pictures at once: a process for each core, and a thread here that attends to it.

Not concurrent.futures: there a process that dies takes all that is under way with it, nobody learns
whose fault it was, and each new process imports the program that started it. Here a process that
dies costs the picture it was at.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

import kimo_assets
from kimo_assets.errors import ContractError, ImagesError, reason
from kimo_assets.images.picture import Original, PictureError, Recipe, check_size
from kimo_assets.images.public_folder import PublicPicture
from kimo_assets.images.source_folder import is_url, read_url
from kimo_assets.images.worker import READY

COMMAND = (sys.executable, "-P", "-m", "kimo_assets.images.worker")
_WAIT_S = 1.0


@dataclass(frozen=True)
class Piece:
    """A picture to make. place: the folder it must not leave. known: the hash of a content that was
    made by this recipe.
    """

    source: str
    place: str
    size: int
    known: str | None = None


@dataclass(frozen=True)
class Outcome:
    """public: None when it was not made: for a `problem`, or because its content is the known one.

    lasting: the same bytes will have the same problem.
    """

    piece: Piece
    sha256: str | None = None
    original: Original | None = None
    public: PublicPicture | None = None
    problem: str | None = None
    lasting: bool = True


def make_all(
    pieces: Sequence[Piece], recipe: Recipe, public: Path, processes: int
) -> Generator[Outcome, None, None]:
    """In the order in which they get done. processes: 0 takes all cores. Raises: ImagesError:
    nothing can be written.
    """
    count = min(processes or cores(), len(pieces))
    shop = WorkerPool(pieces, recipe, public)
    attendants = [
        threading.Thread(target=shop.attend, name=f"pictures {i}", daemon=True)
        for i in range(count)
    ]
    try:
        for attendant in attendants:
            attendant.start()
        for _ in pieces:
            yield shop.next_result()
    finally:
        shop.close()
        for attendant in attendants:
            if attendant.ident is not None:
                attendant.join()


def cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorkerPool:
    """What the attending threads share: the work, the results, and the processes that live."""

    def __init__(self, pieces: Sequence[Piece], recipe: Recipe, public: Path) -> None:
        self._recipe = recipe
        self._options = {"recipe": asdict(recipe), "public": str(public)}
        self._todo: queue.SimpleQueue[Piece] = queue.SimpleQueue()
        for piece in pieces:
            self._todo.put(piece)
        self._results: queue.SimpleQueue[Outcome | Exception] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._workers: set[Worker] = set()
        self._is_closed = False

    def next_result(self) -> Outcome:
        while True:
            with suppress(queue.Empty):
                # Not for ever: on Windows Ctrl-C only comes through between two waits.
                result = self._results.get(timeout=_WAIT_S)
                if isinstance(result, Exception):
                    raise result
                return result

    def attend(self) -> None:
        worker: Worker | None = None
        try:
            while not self._is_closed:
                piece = self._todo.get_nowait()
                data = self._read(piece)
                if isinstance(data, Outcome):
                    self._results.put(data)
                    continue
                worker = worker or self._new_worker()
                try:
                    self._results.put(worker.make(piece, data))
                except DeadWorkerError as death:
                    self._retire(worker)
                    worker = None
                    self._results.put(Outcome(piece, problem=str(death), lasting=False))
        except queue.Empty:
            pass
        except Exception as error:
            self._results.put(error)
        finally:
            if worker:
                self._retire(worker)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            for worker in self._workers:
                worker.kill()

    def _read(self, piece: Piece) -> bytes | Outcome | None:
        """What lies at a URL is read here, by threads: a worker knows no stores, and has none of
        their settings.
        """
        if not is_url(piece.place):
            return None
        try:
            check_size(piece.size, self._recipe)
            data = read_url(piece.source, self._recipe.max_bytes)
            check_size(len(data), self._recipe)
            return data
        except PictureError as error:
            return Outcome(piece, problem=str(error))
        except Exception as error:  # each kind of store has exceptions of its own
            return Outcome(piece, problem=f"it cannot be read: {reason(error)}", lasting=False)

    def _new_worker(self) -> "Worker":
        with self._lock:
            if self._is_closed:
                raise queue.Empty
            worker = Worker(self._options)
            self._workers.add(worker)
        try:
            worker.wait_until_ready()
        except BaseException:
            self._retire(worker)
            raise
        return worker

    def _retire(self, worker: "Worker") -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.end()


class DeadWorkerError(Exception):
    """A worker ended in the middle of a picture."""


class Worker:
    """A process that makes pictures."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        # A session of its own: a terminal's Ctrl-C is ours to pass on.
        self._process = subprocess.Popen(  # noqa: S603 (our own program)
            COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._said,
            env=_environment(),
            start_new_session=True,
        )
        self._options = options

    def wait_until_ready(self) -> None:
        with suppress(BrokenPipeError):
            self._send(self._options)
        if self._line() != READY:
            raise ContractError(
                f"The process that makes pictures could not start: {self._last_words()}"
            )

    def make(self, piece: Piece, data: bytes | None) -> Outcome:
        """Raises: DeadWorkerError."""
        where = (
            {"path": piece.source, "root": piece.place} if data is None else {"bytes": len(data)}
        )
        try:
            self._send({**where, "known": piece.known}, data or b"")
        except BrokenPipeError:
            raise DeadWorkerError(self._last_words()) from None
        line = self._line()
        if not line.endswith(b"\n"):
            raise DeadWorkerError(self._last_words())
        return _outcome(piece, json.loads(line))

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        with suppress(OSError):  # it is dead, and what was not yet sent is lost
            self._stdin.close()
        self._process.wait()
        self._stdout.close()
        self._said.close()

    def _send(self, document: dict[str, Any], data: bytes = b"") -> None:
        self._stdin.write(json.dumps(document).encode() + b"\n" + data)
        self._stdin.flush()

    def _line(self) -> bytes:
        return self._stdout.readline()

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        return self._process.stdout

    def _last_words(self) -> str:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return (
                "the process that decoded it was killed, most likely because memory ran out; it is"
                " tried again next time"
            )
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        end = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return (
            f"the process that decoded it {end}{f' ({lines[-1]})' if lines else ''}; it is tried"
            " again next time"
        )


def _outcome(piece: Piece, result: dict[str, Any]) -> Outcome:
    if stopped := result.get("stopped"):
        raise ImagesError(
            f"The public folder cannot be written: {stopped}. What was made before is kept. Mend"
            " the folder, its rights or the disk (`images: public:` in kimo.yaml), and start"
            " again."
        )
    original, public = result.pop("original", None), result.pop("public", None)
    return Outcome(
        piece,
        original=Original(**original) if original else None,
        public=PublicPicture(**public) if public else None,
        **result,
    )


def _environment() -> dict[str, str]:
    """Ours, with this package to be found wherever it was imported from."""
    root = str(Path(kimo_assets.__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}
