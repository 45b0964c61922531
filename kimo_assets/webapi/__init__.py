"""The vendor's web API: the ten endpoints that a company's scripts call, in front of Dagster's
webserver.

It launches jobs by GraphQL and reads what is recorded. It moves no data itself, and imports no
Dagster.
"""
