"""The pipeline as Dagster shows it: assets, jobs, resources. The only package that imports dagster.

Bodies here ask plain functions for a report and hand it to Dagster; no rule about data lives here.
"""
