"""The rights of an ordinary user. Root may read and write everything, so a test of rights proves
nothing as root unless root gives that up for a while.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="as root, rights can only be given up on Linux"
)

# capset(2): the header's version, then effective, permitted and inheritable, twice 32 bits.
_VERSION_3 = 0x20080522
# capabilities(7): CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH pass over the rights of files.
_OF_FILES = 0b110


def give_up_root_s_rights() -> None:
    """For this thread and those that it starts. Does nothing for an ordinary user."""
    if os.geteuid() == 0:
        _set_effective(_effective() & ~_OF_FILES)


@contextmanager
def ordinary_rights() -> Iterator[None]:
    """Inside, rights of files hold for root as for everybody."""
    if os.geteuid() != 0:
        yield
        return
    before = _effective()
    _set_effective(before & ~_OF_FILES)
    try:
        yield
    finally:
        _set_effective(before)


@contextmanager
def read_only(*folders: Path) -> Iterator[None]:
    """No file can be added to the folders, nor removed, by who has ordinary rights."""
    modes = {folder: folder.stat().st_mode for folder in folders}
    for folder in folders:
        folder.chmod(0o500)
    try:
        yield
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)


def _effective() -> int:
    return _capabilities()[0]


def _capabilities() -> "ctypes.Array[ctypes.c_uint32]":
    sets = (ctypes.c_uint32 * 6)()
    _call("capget", sets)
    return sets


def _set_effective(effective: int) -> None:
    sets = _capabilities()
    sets[0] = effective
    _call("capset", sets)


def _call(function: str, sets: "ctypes.Array[ctypes.c_uint32]") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    if getattr(libc, function)(header, sets) != 0:
        raise OSError(ctypes.get_errno(), function)
