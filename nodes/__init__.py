"""The nodes of the pack, one file each."""

from .ipca_patch import IPCAPatch
from .story_batch import StoryBatch
from .story_demo_model import StoryDemoModel
from .story_prompt import StoryPrompt
from .story_score import StoryScore
from .story_sheet import StorySheet
from .svr_reweight import SVRReweight

NODES = {
    "StoryPrompt": StoryPrompt,
    "SVRReweight": SVRReweight,
    "IPCAPatch": IPCAPatch,
    "StoryBatch": StoryBatch,
    "StoryDemoModel": StoryDemoModel,
    "StorySheet": StorySheet,
    "StoryScore": StoryScore,
}
