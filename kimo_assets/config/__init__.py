"""kimo.yaml: its models (models.py, and a module for each section), where each key stands
(document.py), the one reader (load.py), what it checks (validation.py). For people and their
editors: the JSON Schema (model_schema.py, schema.py) and the page docs/kimo-yaml.md (reference.py).

Nothing is connected, created or looked up here beyond the file itself and the environment variables
it names.
"""

from kimo_assets.config.document import CONFIG_VARIABLE
from kimo_assets.config.load import DEFAULT_CONFIG, is_configured, load_config
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
