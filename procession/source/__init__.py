"""YAML text → `Document`: the plain value, and where each part of it stands.

reading.py      YAML 1.2 without anchors, tags and doubled keys
document.py     the value and its places
scalars.py      what a scalar means, and where each of its characters stands
complaints.py   what the YAML reader has to say, in plain words
"""

from procession.source.document import Document
from procession.source.reading import read

__all__ = ["Document", "read"]
