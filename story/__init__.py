"""The story as text: parsing, windows, token budget, which frames in which batch. No tensors, no ComfyUI."""
