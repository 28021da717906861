"""Prediction that learns from the text that it reads: adaptive counts mixed with a frozen model."""
