"""Runs from models that were trained elsewhere: the lecture's model, and nanoGPT's on characters."""
