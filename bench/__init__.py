"""The test bench: real ComfyUI, in process and as a server, with small random-weight models in the
real shapes.
"""
