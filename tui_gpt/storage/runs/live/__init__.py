"""Follow and control a run that another process trains, through the run's folder."""
