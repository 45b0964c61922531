"""The first kimo.yaml: from an integration database's tables, or from the vendor's own mapping.

proposal.py: from the tables and views of a database. vendor.py: from the tables in which the
vendor's machine keeps its mapping. matching.py: which table is which entity. address.py: a URL
without its secret. draft.py: the text of the file.
"""
