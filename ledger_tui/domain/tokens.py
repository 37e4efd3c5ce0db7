"""A rough count of tokens for displays marked ``~``; the provider's own count is the one that is charged.

The rule, by how a character is written in UTF-8: four of one byte (ASCII) make a token, two of two bytes (accented
Latin, Greek, Cyrillic, Arabic, Hebrew) make one, each of three bytes (Chinese, Japanese, Korean, most other scripts) is
one, each of four bytes (emoji) is two.
"""

from __future__ import annotations


def estimate_tokens(text: str) -> int:
    """About how many tokens ``text`` has; 0 for an empty one. A megabyte takes about a millisecond."""
    if text.isascii():
        return -(-len(text) // 4)
    one = len(text.encode("ascii", "ignore"))
    four = len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)
    rest = len(text) - one - four
    three = len(text.encode("utf-8", "surrogatepass")) - one - 4 * four - 2 * rest
    quarters = one + 2 * (rest - three) + 4 * three + 8 * four
    return -(-quarters // 4)
