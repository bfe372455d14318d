"""What each script of the store is given. A face stands here for each file in ``lua/``; ``face.py`` says how.

The modules do without ``from __future__ import annotations``: every producer imports them, and annotations that are
texts would have to be evaluated.
"""
