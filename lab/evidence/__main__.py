"""`make evidence`: on the demo model, or with CHECKPOINT or UNET set on that one."""

import os

from . import demo, own_checkpoint

if __name__ == "__main__":
    if os.environ.get("CHECKPOINT") or os.environ.get("UNET"):
        own_checkpoint.main()
    else:
        demo.main()
