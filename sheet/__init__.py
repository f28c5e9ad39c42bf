"""The storyboard: pictures with captions on one sheet, drawn by Pillow. No ComfyUI in here."""
