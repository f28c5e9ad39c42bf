"""Lets the mathematics be imported without ComfyUI, as `story_pack.svr` and `story_pack.ipca`."""

import sys
import types
from pathlib import Path

package = types.ModuleType("story_pack")
package.__path__ = [str(Path(__file__).resolve().parents[2])]
sys.modules["story_pack"] = package
