"""References: pictures of a story's cast, and which models read them."""
