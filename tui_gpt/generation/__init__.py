"""Generating text with a trained model: NumPy and, where it could be built, a C extension; never PyTorch."""
