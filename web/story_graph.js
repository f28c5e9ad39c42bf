// Where a story comes from and which pictures it has, read off the graph. What is computed when the
// graph runs is not known here.

import { api } from "../../scripts/api.js";
import { textIn } from "./element.js";
import { keyOf } from "./names_text.js";

const MAX_STEPS = 100;
const isReroute = (node) => node.comfyClass === "Reroute" || node.type === "Reroute";

// The node behind an input, past reroutes.
function originOf(node, name) {
    for (let steps = 0, at = node; at && steps < MAX_STEPS; steps++) {
        if (steps && !isReroute(at)) return at;
        const input = steps ? 0 : (at.inputs?.findIndex((slot) => slot.name === name) ?? -1);
        if (input < 0) return null;
        at = at.getInputNode?.(input);
    }
    return null;
}

// The Story Prompt that a node's story comes from, past reroutes and Story References.
export function storyOf(node) {
    for (let steps = 0, at = node; at && steps < MAX_STEPS; steps++) {
        if (at.comfyClass === "StoryPrompt") return at;
        if (steps && at.comfyClass !== "StoryReference") return null;
        at = originOf(at, "story");
    }
    return null;
}

// Whose picture is where, for a Story Prompt: the URL by the character's name, as `keyOf` gives it.
// Only files that Load Image shows.
export function picturesOf(story) {
    const references = (story.graph?._nodes ?? []).filter(
        (node) => node.comfyClass === "StoryReference" && storyOf(node) === story,
    );
    const found = references.map((node) => [
        keyOf(textIn(node, "character").trim().replace(/^@/, "")),
        fileIn(originOf(node, "image")),
    ]);
    // of several of one character the first
    return new Map(found.filter(([name, url]) => name && url).reverse());
}

function fileIn(node) {
    if (node?.comfyClass !== "LoadImage") return null;
    const [, path, type] =
        textIn(node, "image").match(/^(.*?)(?: \[(input|output|temp)\])?$/) ?? [];
    if (!path) return null;
    const at = path.lastIndexOf("/");
    const file = new URLSearchParams({
        filename: path.slice(at + 1),
        subfolder: path.slice(0, Math.max(0, at)),
        type: type ?? "input",
    });
    return api.apiURL(`/view?${file}`);
}
