"""How alike the pictures of a story are and how well they fit their captions."""
