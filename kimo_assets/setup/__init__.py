"""How a kimo.yaml begins: from what an integration database offers (proposal.py), or from the
tables in which the vendor's own machine keeps its mapping (vendor.py).

matching.py: which table is which entity. address.py: a URL without its secret. draft.py: the text
of the file.
"""
