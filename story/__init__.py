"""The story as text: lists, cast, windows, token budget, which frames in which batch. No tensors,
no ComfyUI.
"""
