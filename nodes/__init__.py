"""The nodes of the pack, one file each."""

from comfy_api.latest import io

from .ipca_patch import IPCAPatch
from .story_batch import StoryBatch
from .story_demo_model import StoryDemoModel
from .story_gather import StoryGather
from .story_prompt import StoryPrompt
from .story_reference import StoryReference
from .story_score import StoryScore
from .story_sheet import StorySheet
from .story_slate import StorySlate
from .svr_reweight import SVRReweight

NODES: dict[str, type[io.ComfyNode]] = {
    "StoryPrompt": StoryPrompt,
    "SVRReweight": SVRReweight,
    "IPCAPatch": IPCAPatch,
    "StoryBatch": StoryBatch,
    "StoryDemoModel": StoryDemoModel,
    "StorySheet": StorySheet,
    "StorySlate": StorySlate,
    "StoryGather": StoryGather,
    "StoryScore": StoryScore,
    "StoryReference": StoryReference,
}
