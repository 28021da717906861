"""Any file as a `str` that becomes the same bytes again.

A byte that is not part of a valid UTF-8 character is a lone surrogate, U+DC80 to U+DCFF, as in Python's own
`surrogateescape` (PEP 383).
"""


def bytes_of(text: str) -> bytes:
    """Return the UTF-8 bytes of a text; surrogates U+DC80 to U+DCFF are the bytes that they were read from."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # another surrogate, e.g. from a terminal
        return text.encode("utf-8", "surrogatepass")


def text_of(data: bytes) -> str:
    """Inverse of `bytes_of`: bytes that are not UTF-8 become surrogates."""
    return data.decode("utf-8", "surrogateescape")
