"""The drawn world that the demo model is trained on."""
