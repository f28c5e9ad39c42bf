"""What a picture says of itself in rows of its own pixels: which frame of the story it is, whichever way it comes."""
