"""IPCA in transformers: in joint attention the identity's keys count more than once."""
