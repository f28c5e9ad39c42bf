"""A transformer of our own that loses an embedding's length: the model, its training, and what the
pack's factors do on it.
"""
