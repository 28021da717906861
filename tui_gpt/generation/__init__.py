"""Text generation with a trained model: NumPy and, if it could be built, a C extension; never PyTorch."""
