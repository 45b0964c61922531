"""What the filter rows of one promotion say together about agents (fact sheet, section 11). Sets of agents are masks."""

from dataclasses import dataclass, field

from kimo_assets.catalog import scopes


@dataclass
class PromotionGate:
    """What a promotion's filter rows say together."""

    named: int = 0
    excluded: int = 0
    exclusive: int = 0
    generic: bool = False
    has_exclusive: bool = False
    has_restriction: bool = False
    wrong_channel: bool = False
    channels: set[str] = field(default_factory=set)

    def add(
        self,
        scope: scopes.ViaPromotionFilter,
        kind: str,
        key: str,
        included: bool,
        mask: int,
        channel_codes: set[str],
    ) -> None:
        if kind == "Channel-Exclusive":
            self.channels.add(key.casefold())
            self.wrong_channel = not self.channels & channel_codes
        elif kind == "00":
            self.generic = self.generic or included
        elif kind in scope.agent_types and not included:
            self.excluded |= mask
        elif kind.endswith("-Exclusive") and kind in scope.agent_types:
            self.has_exclusive = True
            self.exclusive |= mask
        elif included and (kind in scope.agent_types or kind in scope.account_types):
            self.has_restriction = True
            self.named |= mask

    def mask(self, everyone: int) -> int:
        """An excluded customer shuts no agent out: others of theirs may still take part."""
        if self.wrong_channel:
            return 0
        if self.has_exclusive:
            return self.exclusive & ~self.excluded
        seen = everyone if self.generic or not self.has_restriction else self.named
        return seen & ~self.excluded
