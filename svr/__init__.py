"""Text side: a story's prompts, where each phrase's tokens lie, and singular-value reweighting of
their rows.
"""
