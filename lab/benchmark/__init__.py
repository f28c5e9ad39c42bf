"""What the pack costs, measured side by side."""
