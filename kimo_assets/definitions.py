"""What Dagster loads: the definitions of the company whose kimo.yaml KIMO_CONFIG names (default
./kimo.yaml).
"""

from kimo_assets.config import load_config
from kimo_assets.defs.build import build_defs

defs = build_defs(load_config())
