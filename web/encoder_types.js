// Whether a loader's text encoder is CLIP, whose prompts have a limit of tokens. Nothing of the
// page in here.

import { FAMILIES } from "./block_families.js";

// What CLIPLoader, DualCLIPLoader and similar loaders for other file formats are set to, where CLIP
// fills positions in the CONDITIONING. Every other type is read by T5 or a language model.
const CLIP_TYPES = ["stable_diffusion", "stable_cascade", "sdxl", "sd3"];
// stable_diffusion is also what a loader is set to where ComfyUI tells the encoder by its weights,
// as Anima's.
const LANGUAGE_MODEL = /qwen|t5|gemma|llama|mistral/i;

// `widgets` are the loader's, {name, value} each. An unknown loader counts as CLIP's: most are, and
// the node reports it when it runs.
export function readsClip(loaderClass, widgets) {
    if (loaderClass.startsWith("QuadrupleCLIPLoader")) return false; // HiDream-I1
    const type = widgets.find(({ name }) => name === "type")?.value;
    const files = widgets.map(({ value }) => String(value)).filter((value) => value.includes("."));
    if (type === "stable_diffusion" && files.some((file) => LANGUAGE_MODEL.test(file)))
        return false;
    if (loaderClass.includes("CLIPLoader") && type) return CLIP_TYPES.includes(type);
    const family = Object.keys(FAMILIES).find((name) =>
        files.some((file) => FAMILIES[name].file?.test(file)),
    );
    return !family || family.startsWith("SD3");
}
