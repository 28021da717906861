"""Recognising that memory ran out, whoever noticed it first: Python, NumPy or PyTorch."""

OUT_OF_MEMORY = (
    "there is not enough memory for this: close other programs, or choose a smaller model, batch, context or text"
)
_SIGNS = ("can't allocate memory", "out of memory", "not enough memory", "cannot allocate memory", "bad_alloc")
"""What the messages say of the errors that PyTorch raises as a plain RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)
