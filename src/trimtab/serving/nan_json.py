"""JSON as clients in Python and C++ write it: `NaN`, which JSON does not have, for what is not known."""

from __future__ import annotations

import re

# All that stands before a NaN or the end. Possessive, and a string may end with the text: one pass over any text.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_UP_TO_NAN = re.compile(rb'((?:[^"N]++|' + _STRING + rb"|N(?!aN))*+)(NaN|\Z)", re.DOTALL)


def without_nan(text: bytes) -> bytes:
    """The same text with null in place of each NaN that stands outside of strings.

    >>> without_nan(b'{"NaN": [NaN, 1, "\\\\"NaN"]}')
    b'{"NaN": [null, 1, "\\\\"NaN"]}'
    """
    if b"NaN" not in text:
        return text
    return _UP_TO_NAN.sub(lambda found: found[1] + b"null" if found[2] else found[1], text)
