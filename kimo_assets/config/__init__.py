"""kimo.yaml: its models (models.py), where each key stands (document.py), and the one reader
(load.py).

Nothing is connected, created or looked up here beyond the file itself and the environment variables
it names.
"""

from kimo_assets.config.load import CONFIG_VARIABLE, DEFAULT_CONFIG, is_configured, load_config
from kimo_assets.config.models import (
    SYSTEMS,
    CustomTaskConfig,
    DatabaseConfig,
    EntityMapping,
    FormatsConfig,
    GuardsConfig,
    HistoryConfig,
    ImportConfig,
    KimoConfig,
    NoValueConfig,
    SourceConfig,
    SyncConfig,
    SystemId,
)

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_CONFIG",
    "SYSTEMS",
    "CustomTaskConfig",
    "DatabaseConfig",
    "EntityMapping",
    "FormatsConfig",
    "GuardsConfig",
    "HistoryConfig",
    "ImportConfig",
    "KimoConfig",
    "NoValueConfig",
    "SourceConfig",
    "SyncConfig",
    "SystemId",
    "is_configured",
    "load_config",
]
