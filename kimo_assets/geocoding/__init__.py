"""Coordinates of customers and ship-to sites, from Google: each distinct address asked once.

addresses.py: from the columns of an account to what Google is asked, with the names of places.py.
client.py: asking, with the official library. run.py: the job. positions.py:
kimo."EntityGeoposition", which agents get. plot.py: where the customers are, and how well that is
known; report.py: the same by province, and which addresses to correct.
"""
