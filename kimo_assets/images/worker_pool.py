"""Making many pictures at once: a process for each core, and a thread here that attends to it.

Not concurrent.futures: there a process that dies takes all that is under way with it, the picture
at fault stays unknown, and each new process imports the program that started it. Here a process
that dies costs the picture that it was at.
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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any, cast

import kimo_assets
from kimo_assets.errors import ContractError, ImagesError, reason
from kimo_assets.images.picture import Original, PictureError, Recipe, check_size
from kimo_assets.images.public_folder import PublicPicture
from kimo_assets.images.source_folder import is_url, read_url
from kimo_assets.images.worker import READY
from kimo_assets.texts import say

# -P keeps the current folder off the path of imports: a json.py may lie there.
COMMAND = (sys.executable, "-P", "-m", "kimo_assets.images.worker")
_WAIT_S = 1.0


@dataclass(frozen=True)
class Piece:
    """A picture to make. folder: the one that it must not leave.

    made_sha256: the hash of the content that this recipe has made already.
    """

    source: str
    folder: str
    size: int
    made_sha256: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a piece. lasting: the same bytes will have the same problem.

    public: None when it was not made: for a `problem`, or because its content is made already.
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
    """The outcomes, in the order in which they get done.

    processes: 0 takes all cores. Raises: ImagesError when nothing can be written.
    """
    count = min(processes or cores(), len(pieces))
    pool = WorkerPool(pieces, recipe, public)
    attendants = [
        threading.Thread(target=pool.attend, name=f"pictures {i}", daemon=True)
        for i in range(count)
    ]
    try:
        for attendant in attendants:
            attendant.start()
        for _ in pieces:
            yield pool.next_result()
    finally:
        pool.close()
        for attendant in attendants:
            # A thread that was never started cannot be joined.
            if attendant.ident is not None:
                attendant.join()


def cores() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        # A container may be given fewer processors than the machine has.
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
        """Waits for the next picture that is done, in whatever order."""
        while True:
            with suppress(queue.Empty):
                # Not for ever: on Windows Ctrl-C only comes through between two waits.
                result = self._results.get(timeout=_WAIT_S)
                if isinstance(result, Exception):
                    raise result
                return result

    def attend(self) -> None:
        """Has a process make pictures until none is left. The body of each attending thread.

        A process that dies fails the picture it was at. Any other error ends the whole job.
        """
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
                    # It may have been short of memory, so that the next run tries this picture
                    # again.
                    self._results.put(Outcome(piece, problem=str(death), lasting=False))
        except queue.Empty:
            pass
        except Exception as error:
            self._results.put(error)
        finally:
            if worker:
                self._retire(worker)

    def close(self) -> None:
        """Ends all workers at once."""
        with self._lock:
            self._is_closed = True
            for worker in self._workers:
                worker.kill()

    def _read(self, piece: Piece) -> bytes | Outcome | None:
        """The bytes of a file at a URL, or why there are none. None for a file of this machine.

        URLs are read here, by threads: a worker has no stores, and none of their settings.
        """
        if not is_url(piece.folder):
            return None
        try:
            check_size(piece.size, self._recipe)
            data = read_url(piece.source, self._recipe.max_bytes)
            check_size(len(data), self._recipe)
            return data
        except PictureError as error:
            return Outcome(piece, problem=str(error))
        except Exception as error:  # each kind of store has exceptions of its own
            problem = say("images.picture.unreadable", reason=reason(error))
            return Outcome(piece, problem=problem, lasting=False)

    def _new_worker(self) -> "Worker":
        """Raises: queue.Empty when the pool is closed: there is nothing left to do then."""
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
        # A file, not a pipe: a process that writes much to a pipe stops when nobody reads it.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        # A session of its own: a terminal's Ctrl-C is ours to pass on.
        self._process = subprocess.Popen(  # noqa: S603 (our own program)
            COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._stderr,
            env=_environment(),
            start_new_session=True,
        )
        self._stdin = cast(IO[bytes], self._process.stdin)
        self._stdout = cast(IO[bytes], self._process.stdout)
        self._options = options

    def wait_until_ready(self) -> None:
        """Raises: ContractError when the process does not start."""
        # A process that is dead already gives no answer either, and then its last words are told.
        with suppress(BrokenPipeError):
            self._send(self._options)
        if self._line() != READY:
            raise ContractError(say("images.worker.not_started", reason=self._last_words()))

    def make(self, piece: Piece, data: bytes | None) -> Outcome:
        """data: None for a file, which the process reads itself. Raises: DeadWorkerError."""
        task: dict[str, Any] = {"known": piece.made_sha256}
        if data is None:
            task |= {"path": piece.source, "root": piece.folder}
        else:
            task["bytes"] = len(data)
        try:
            self._send(task, data or b"")
        except BrokenPipeError:
            raise DeadWorkerError(self._last_words()) from None
        line = self._line()
        if not line.endswith(b"\n"):
            raise DeadWorkerError(self._last_words())
        return _outcome(piece, json.loads(line))

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()

    def end(self) -> None:
        """Lets the process finish and waits for it."""
        with suppress(OSError):  # it is dead, and what was not yet sent is lost
            self._stdin.close()
        self._process.wait()
        self._stdout.close()
        self._stderr.close()

    def _send(self, document: dict[str, Any], data: bytes = b"") -> None:
        self._stdin.write(json.dumps(document).encode() + b"\n" + data)
        self._stdin.flush()

    def _line(self) -> bytes:
        return self._stdout.readline()

    def _last_words(self) -> str:
        """How the process ended, with the last line that it wrote to stderr."""
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return say("images.worker.killed")
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        details = "".join(f" ({line})" for line in lines[-1:])
        if code < 0:
            return say("images.worker.ended_by_signal", signal=-code, details=details)
        return say("images.worker.ended_with_code", code=code, details=details)


def _outcome(piece: Piece, result: dict[str, Any]) -> Outcome:
    """result: as worker.py writes it. Raises: ImagesError when nothing can be written."""
    if stopped := result.get("stopped"):
        raise ImagesError(say("images.public.unwritable", reason=stopped))
    outcome = Outcome(
        piece,
        sha256=result.get("sha256"),
        problem=result.get("problem"),
        lasting=result.get("lasting", True),
    )
    if "public" not in result:
        return outcome
    return replace(
        outcome,
        original=Original(**result["original"]),
        public=PublicPicture(**result["public"]),
    )


def _environment() -> dict[str, str]:
    """Ours, with this package on the path of imports, from the folder that ours came from."""
    root = str(Path(kimo_assets.__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    # The last line on stderr is told as the reason of a death. A warning must not be that line.
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}
