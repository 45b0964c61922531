"""kimo_assets: the machine between a company's ERP and its agents' tablets, as a Dagster
project.
"""
