"""One story on several machines: who renders which frames, and how the pictures come together.

In the order of a run: `prompt.py` writes each machine's share into the graph that it was sent, from
what `collector.py` reads; Story Batch renders it (`share.py`); Story Slate writes into each picture
which frame it is, and Story Gather reads that after the collector (`slate.py`, by `pixels.py` and
`record.py`). `graph.py` says what is connected in a graph.
"""
