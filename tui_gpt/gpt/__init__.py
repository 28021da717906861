"""The model and its craft, in PyTorch: everything here needs torch, nothing here knows a screen or a command line."""
