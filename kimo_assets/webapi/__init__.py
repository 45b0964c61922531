"""The vendor's web API: the ten endpoints that a company's scripts call, in front of Dagster's
webserver.

Launches jobs by GraphQL and reads what is recorded; moves no data itself and knows nothing of
Dagster's Python.
"""
