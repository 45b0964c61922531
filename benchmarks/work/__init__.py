"""What runs in processes of its own. Each module has one function `run`, called with JSON and
answering with JSON.
"""
