"""IPCA in transformers, where text and image attend in one call: the identity's keys count more often."""
