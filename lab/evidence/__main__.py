"""`make evidence`: on the demo model, with a checkpoint or unet given on that one, or on the lab's
transformer.
"""

import sys

from ..transformer import evidence_transformer
from . import demo, own_checkpoint
from .loop import go
from .options import options

if __name__ == "__main__":
    chosen = options(sys.argv[1:])
    if chosen.checkpoint or chosen.unet:
        go(own_checkpoint.study(chosen))
    else:
        go((evidence_transformer if chosen.transformer else demo).study(chosen))
