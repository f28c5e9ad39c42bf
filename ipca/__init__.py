"""Image side: identity-preserving cross-attention (IPCA), and how it is put on a MODEL.

This folder has what UNets and transformers share; `unet/` and `transformer/` have what differs.
"""
