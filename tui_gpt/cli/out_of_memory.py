"""Recognise errors of Python, NumPy and PyTorch that mean that memory ran out."""

OUT_OF_MEMORY = "out of memory: close other programs, or choose a smaller model, batch, context or text"
_SIGNS = ("can't allocate memory", "out of memory", "not enough memory", "cannot allocate memory", "bad_alloc")
"""Parts of the messages of PyTorch, which raises a plain RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)
