"""Addresses as operators write them: several in one text, some of them wrong."""

import re
from collections.abc import Iterable
from email.headerregistry import Address
from email.utils import parseaddr

_SEPARATORS = re.compile(r"[,;|\n]")
# What a mail server can be handed without extensions: the part before the @ in ASCII, no blanks, no
# control characters.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


def read_addresses(texts: Iterable[str], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses in the texts, each once, and a sentence about each that is none. where: they
    stand, for the sentences.

    Several stand in one text separated by , ; or |. `Anna <anna@firm.it>` counts as anna@firm.it.
    """
    good: dict[str, str] = {}
    wrong: list[str] = []
    for text in texts:
        for part in filter(None, (part.strip() for part in _SEPARATORS.split(text))):
            address = as_address(part)
            if address is None:
                wrong.append(
                    f"{where}: '{part[:100]}' is no mail address and gets no mail; expected"
                    " anna@firm.it, say"
                )
            else:
                good.setdefault(address.casefold(), address)
    return tuple(good.values()), tuple(dict.fromkeys(wrong))


def as_address(text: str) -> str | None:
    """The address itself, a domain of other letters in its ASCII form; None when it is none."""
    local, at, domain = parseaddr(text)[1].rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    is_domain = all(_LABEL.fullmatch(label) for label in domain.split("."))
    if (
        not at
        or not _LOCAL.fullmatch(local)
        or not is_domain
        or len(local) > 64
        or len(domain) > 253
    ):
        return None
    return Address(username=local, domain=domain).addr_spec
