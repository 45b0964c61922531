"""The frame of every command: where kimo.yaml is, text or JSON, and what an error turns into.

Exit codes: 0 done, 1 the run failed, 2 usage or configuration, 3 refused because another run holds
the lock, 4 a plan has changes (only when asked).
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

import click
import orjson
import psycopg

from kimo_assets.cli.formatting import Terminal, console
from kimo_assets.config import CONFIG_VARIABLE, DEFAULT_CONFIG, KimoConfig, load_config
from kimo_assets.database.server import Database, open_database
from kimo_assets.errors import ConfigError, KimoError, LockedError
from kimo_assets.texts import say

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_LOCKED = 3
# kimo plan --detailed-exitcode: there is something to do.
EXIT_CHANGES = 4

# click's `meta` is shared by all contexts of a call. Its manual asks for a key of one's own.
_JSON = "kimo_assets.json"


def _program() -> str:
    """What a user types for this command: its name where the shell finds it, else the path by which
    it was started.
    """
    started = Path(sys.argv[0])
    # Started by `python -m` or by a test, argv holds nothing that a user could type.
    if started.name != "kimo" or shutil.which("kimo"):
        return "kimo"
    here = Path.cwd()
    if started.is_relative_to(here):
        return str(started.relative_to(here))
    return str(started)


_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass
class Call:
    """One call of the command: what its common options say."""

    config_path: Path | None = None
    as_json: bool = False

    @cached_property
    def config(self) -> KimoConfig:
        return load_config(self.config_path)

    @cached_property
    def database(self) -> Database:
        return open_database(self.config)

    @cached_property
    def out(self) -> Terminal:
        return console(sys.stdout)

    @property
    def sentences(self) -> Terminal:
        """For sentences beside the result: stderr when stdout has the document of --json."""
        return self.err if self.as_json else self.out

    @cached_property
    def err(self) -> Terminal:
        """Progress, logs and errors."""
        return console(_own_stderr())

    def kimo(self, *words: str) -> str:
        """A command line for the operator to type next, with the same configuration."""
        if not self.config_path:
            return " ".join((_program(), *words))
        return " ".join((_program(), "--config", _typed(self.config_path), *words))


def _typed(path: Path) -> str:
    """A path as a shell takes it for one word."""
    return f'"{path}"' if " " in str(path) else str(path)


def _own_stderr() -> IO[str]:
    """The terminal itself: Dagster captures the process's stderr while a step runs, which garbles
    bars.
    """
    try:
        copy = os.dup(sys.stderr.fileno())
    except OSError:  # a test, or a program that calls us, has replaced stderr
        return sys.stderr
    # Line by line, because nobody flushes this copy. Errors are replaced, since a name of the ERP
    # must not end a run.
    file = os.fdopen(copy, "w", encoding=sys.stderr.encoding, errors="replace", buffering=1)
    click.get_current_context().find_root().call_on_close(file.close)
    return file


def print_json(document: Any) -> None:
    """The one document of --json."""
    # Keys of reports are numbers of steps and loads too, which orjson refuses by default.
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def _store(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        call = context.ensure_object(Call)
        # The group and the subcommand both have the option. The one that was not given must not
        # clear the other.
        if value:
            setattr(call, name, value)

    return callback


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    expose_value=False,
    is_eager=True,
    callback=_store("config_path"),
    help=f"The configuration. Default: the variable {CONFIG_VARIABLE}, else ./{DEFAULT_CONFIG}.",
)
json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_store("as_json"),
    help="Print one JSON document on stdout. Progress and messages go to stderr.",
)


def common_options(function: _Function) -> _Function:
    """--config and --json, after the subcommand. The group takes --config too."""
    return config_option(json_option(function))


class KimoGroup(click.Group):
    """Turns errors into a message on stderr, a document when --json was asked for, and the exit
    code.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Looked up in the raw words, because a usage error is found before --json is read.
        ctx.meta[_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. A broken pipe is left to click, which ends quietly."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if ctx.meta[_JSON]:
                _print_error("UsageError", error.format_message())
            raise
        except KimoError as error:
            _end(ctx, type(error).__name__, str(error), exit_code(error))
        # Before OSError, of which it is one: `kimo rejected | head` is no failure.
        except BrokenPipeError:
            raise
        # A server that goes down in the middle of a command. Operators get a sentence, not a
        # traceback.
        except psycopg.Error as error:
            message = say("cli.postgresql_error", reason=_in_one_line(error))
            _end(ctx, type(error).__name__, message, EXIT_FAILED)
        except OSError as error:
            message = say("cli.file_system_error", reason=_in_one_line(error))
            _end(ctx, type(error).__name__, message, EXIT_FAILED)


def exit_code(error: KimoError) -> int:
    match error:
        case ConfigError():
            return EXIT_USAGE
        case LockedError():
            return EXIT_LOCKED
        case _:
            return EXIT_FAILED


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _end(ctx: click.Context, kind: str, message: str, code: int) -> NoReturn:
    # On stderr also with --json, so that cron's mail and a person see the reason.
    console(sys.stderr).say(say("cli.error", message=message), style="red")
    if ctx.meta[_JSON]:
        _print_error(kind, message)
    ctx.exit(code)


def _print_error(kind: str, message: str) -> None:
    print_json({"error": {"type": kind, "message": message}})
