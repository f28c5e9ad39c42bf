// Where a story comes from and which pictures it has, read off the graph. What is computed when the
// graph runs is not known here.

import { api } from "../../scripts/api.js";
import { textIn } from "./element.js";
import { readsClip } from "./encoder_types.js";
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

// The first node without an input of this type on the way up from ours; null where the graph on
// screen has none.
export function loaderOf(node, type) {
    for (let steps = 0, at = node; at && steps < MAX_STEPS; steps++) {
        const input = at.inputs?.findIndex((slot) => slot.type === type) ?? -1;
        if (input < 0) return at === node ? null : at;
        at = at.getInputNode?.(input);
    }
    return null;
}

const widgetsOf = (node) => (node?.widgets ?? []).map(({ name, value }) => ({ name, value }));

// What SVR Reweight said of its CLIP when it ran, and the loader that it was connected to then.
const reported = new WeakMap();
const loaderKey = (loader) => JSON.stringify([loader?.comfyClass ?? "", widgetsOf(loader)]);

export function rememberLimit(id, limit, graphs) {
    for (const node of new Set(graphs.flatMap((graph) => graph?._nodes ?? [])))
        if (node.comfyClass === "SVRReweight" && String(node.id) === id)
            reported.set(node, { limit, loader: loaderKey(loaderOf(node, "CLIP")) });
}

// Whether a Story Prompt's texts are read by CLIP, as far as is known: what the run reported, else
// what the loader is set to.
export function hasTokenLimit(story) {
    const readers = (story.graph?._nodes ?? []).filter(
        (node) => node.comfyClass === "SVRReweight" && storyOf(node) === story,
    );
    const limits = readers.map((node) => {
        const loader = loaderOf(node, "CLIP");
        const said = reported.get(node);
        if (said?.loader === loaderKey(loader)) return said.limit !== null;
        return !loader || readsClip(loader.comfyClass ?? "", widgetsOf(loader));
    });
    return !limits.length || limits.some(Boolean);
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
