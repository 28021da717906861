"""Training of one run in several processes, which torchrun starts: `group`, `leader`, `follower`."""
