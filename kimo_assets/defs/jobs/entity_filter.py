"""The field of the vendor's mask in which entities are named, as every job that has it understands
it.
"""

from kimo_assets.config import KimoConfig
from kimo_assets.defs.resource import failure_of
from kimo_assets.errors import ConfigError


def named_entities(config: KimoConfig, names: str, *, only_listed: bool) -> list[str]:
    """The mapped entities that names separated by commas mean; all for none. A name that is none
    ends the run.
    """
    try:
        return config.choose(
            [name for name in names.split(",") if name.strip()], only_listed=only_listed
        )
    except ConfigError as error:
        raise failure_of(error, f"entities: {error}") from None
