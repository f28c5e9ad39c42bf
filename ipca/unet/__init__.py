"""IPCA in UNets: attn2 attends to a memory, the identity prompt's own encoding."""
