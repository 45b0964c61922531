"""The ERP's side: connecting, finding tables and columns, reading fast.

Nothing here knows Kimo's tables.
"""
