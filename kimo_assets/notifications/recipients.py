"""Addresses as operators write them: several in one text, some of them wrong.

They are read here, not by email.utils: its answer to a malformed address differs between Python's
patch releases.
"""

import re
from collections.abc import Iterable

from kimo_assets.texts import say

_SEPARATORS = re.compile(r"[,;|\n]")
# What a mail server can be handed without extensions: the part before the @ in ASCII, no blanks, no
# control characters.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.IGNORECASE)
# RFC 5321, section 4.5.3.1.
_LOCAL_CHARS = 64
_DOMAIN_CHARS = 253
# `Anna <anna@firm.it>`: an @ in the name is in quotes, or nobody can tell which address is meant.
_NAMED = re.compile(r'(?:"[^"]*"|[^"<>@])*<([^<>]*)>')
_LABELLED = re.compile(r"(?:[^<>@:]*:)?([^<>:]*)")
_COMMENT = re.compile(r"^\([^()]*\)|\([^()]*\)$")
# All but the tab, which is a blank.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def read_addresses(texts: Iterable[str], origin: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses in the texts, each once, and a sentence about each wrong one.

    origin: of the texts, for the sentences. One text may hold several, separated by , ; or |.
    `Anna <anna@firm.it>` counts as anna@firm.it.
    """
    good: dict[str, str] = {}
    wrong: list[str] = []
    for text in texts:
        for part in filter(None, (part.strip() for part in _SEPARATORS.split(text))):
            address = as_address(part)
            if address is None:
                wrong.append(say("notifications.no_address", origin=origin, text=part[:100]))
            else:
                # In practice servers ignore case, and nobody wants the mail twice.
                good.setdefault(address.casefold(), address)
    return tuple(good.values()), tuple(dict.fromkeys(wrong))


def as_address(text: str) -> str | None:
    """The address itself, a domain of other letters in its ASCII form; None when it is none.

    A name or a comment beside it is left out. Text with a line break inside is no address.
    """
    bare = _without_name(text.strip())
    if bare is None:
        return None
    local, at, domain = bare.rpartition("@")
    local, domain = local.strip(), domain.strip()
    try:
        # Mail servers without SMTPUTF8 take ASCII only (RFC 6531).
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    is_local = len(local) <= _LOCAL_CHARS and _LOCAL.fullmatch(local)
    is_domain = len(domain) <= _DOMAIN_CHARS and all(
        _LABEL.fullmatch(label) for label in domain.split(".")
    )
    return f"{local}@{domain}" if at and is_local and is_domain else None


def _without_name(text: str) -> str | None:
    """What stands in angle brackets, or after a label such as `mailto:`, or the whole text."""
    if _CONTROL.search(text):
        return None
    text = _COMMENT.sub("", text).strip()
    match = _NAMED.fullmatch(text) or _LABELLED.fullmatch(text)
    return match[1] if match else None
