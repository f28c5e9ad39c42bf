"""Training: the demo model, its vision and the judge, and writing the weights that ship."""
