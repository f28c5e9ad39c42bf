"""Image side: identity-preserving cross-attention (IPCA) at the UNet's attn2, and installing it on a MODEL."""
