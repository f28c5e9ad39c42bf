"""A story in batches for a stock KSampler: what has a row per frame is cut along the frames."""
