"""Links of platforms that cannot be used, by what is wrong with them, and the reason that is told."""

from __future__ import annotations

UNUSABLE_LINKS = {
    "data": ("data:image/png;base64,AAAA", "its link is neither http nor https"),
    "file": ("file:///etc/passwd", "its link is neither http nor https"),
    "relative": ("/uploads/1.jpg", "its link is relative"),
    "empty": ("", "its link is empty"),
    "too long": ("https://x/" + "a" * 8200, "its link is longer than 8192 characters"),
    "null": (None, "its link is null"),
    "a list": (["https://x/a.jpg"], "its link is a list"),
    "a number": (7, "its link is a number"),
    "no host": ("https:///a.jpg", "its link names no host"),
    "a line break": ("https://x/a\n.jpg", "its link holds a control character or half a character"),
    "half an emoji": ("https://x/a\ud83d.jpg", "its link holds a control character or half a character"),
}
