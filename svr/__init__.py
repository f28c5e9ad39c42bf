"""Text side: a story's prompts, where each phrase's tokens are, and singular-value reweighting of
their rows.
"""
