"""The names under which IPCA's parts find each other in ComfyUI's dicts. Each is defined only
here.
"""

KEY = "one_prompt_one_story.ipca"  # of our wrappers and callbacks on a MODEL
PLAN_KEY = "one_prompt_one_story.ipca_plan"  # transformer_options of a run: its Plan
CALL_KEY = (  # transformer_options of a model call: what its sites need
    "one_prompt_one_story.ipca_call"
)
NUMBERS = (  # among a run's model conditionings, so a keyword of apply_model
    "one_prompt_one_story_row_numbers"
)
MARK = "one_prompt_one_story_ipca"  # a keyword of a compiled model's forward
OVERRIDE = "optimized_attention_override"  # ComfyUI's own, in transformer_options
NODE = "IPCA Patch"
