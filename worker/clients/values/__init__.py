"""Single values as strangers send them, read or left out. Pure, of the standard library and pydantic's words alone.

The only part of ``worker.clients`` that ``worker.domain`` may import: both have to read what a platform sends, and
neither may know the other.
"""
