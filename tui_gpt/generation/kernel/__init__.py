"""The C extension of the decoder, built with the package (see hatch_build.py) and optional."""
