"""`make evidence`: on the demo model, or with a checkpoint or unet given on that one."""

import sys

from . import demo, own_checkpoint
from .loop import go
from .options import options

if __name__ == "__main__":
    chosen = options(sys.argv[1:])
    own = chosen.checkpoint or chosen.unet
    go(own_checkpoint.study(chosen) if own else demo.study(chosen))
