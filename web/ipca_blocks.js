// IPCA Patch in the page: its blocks as the U that the UNet is. It only writes the plain `blocks` text.

import { app } from "../../scripts/app.js";
import { addPart, element, growToFit, isLinked, loadStyle, textIn, watchWidgets, write } from "./element.js";
import { say } from "./words.js";

// Cross-attention of the model families, in running order, `top` the first level that has any;
// `latent` is the side of level 0 at the family's own picture size.
const FAMILIES = {
    "SDXL": { levels: 3, top: 1, latent: 128, picture: 1024, blocks: ["down1", "down2", "mid", "up0", "up1"] },
    "SD1.x, SD2.x": { levels: 4, top: 0, latent: 64, picture: 512, blocks: ["down0", "down1", "down2", "mid", "up1", "up2", "up3"] },
    "Story Demo Model": { levels: 2, top: 1, latent: 16, picture: 256, blocks: ["down1", "mid", "up0"] },
};
const LEVEL_HEIGHT = 30;

function presetsOf(blocks) {
    const downs = blocks.filter((name) => name.startsWith("down"));
    const ups = blocks.filter((name) => name.startsWith("up"));
    const coarse = blocks.filter((name) => name === "mid" || name === downs.at(-1) || name === ups[0]);
    const fine = blocks.filter((name) => !coarse.includes(name));
    return fine.length ? { all: blocks, coarse, fine } : { all: blocks, coarse };
}

const namesIn = (text) => text.toLowerCase().split(/[\s,;]+/).filter(Boolean);

function chosenOf(text, blocks) {
    const presets = presetsOf(blocks);
    const names = namesIn(text);
    return blocks.filter((name) => names.some((named) => (presets[named] ?? [named]).includes(name)));
}

function textOfBlocks(chosen, blocks) {
    return chosen.length === blocks.length ? "all" : chosen.join(", ");
}

function levelOf(name, { levels }) {
    return name === "mid" ? levels - 1 : name.startsWith("down") ? Number(name.slice(4)) : levels - 1 - Number(name.slice(2));
}

// Rows of the picture: one a level, and the bottom of the U.
const rowsOf = ({ levels, top }) => levels - top + 1;

class BlocksPicture {
    constructor(node) {
        this.node = node;
        this.family = element("select", { title: say("family"), onchange: () => this.draw() },
            ...Object.keys(FAMILIES).map((name) => element("option", {}, name)));
        this.presets = element("span", { class: "opos-presets" });
        this.picture = element("div", { class: "opos-u", role: "group", "aria-label": say("blocks") });
        this.element = element("div", { class: "opos-blocks" }, element("div", { class: "opos-bar" }, this.family, this.presets), this.picture);
        addPart(node, "blocks_picture", this.element, () => 40 + LEVEL_HEIGHT * rowsOf(FAMILIES[this.family.value]));
        watchWidgets(node, ["blocks"], () => this.refresh());
        this.refresh();
    }

    get text() {
        return textIn(this.node, "blocks");
    }

    write(text) {
        write(this.node, "blocks", text);
    }

    // The family that has every named block, if the one shown lacks some; else the one of the loader that the model comes from.
    refresh() {
        const named = namesIn(this.text).filter((name) => /^(down|up)\d+$|^mid$/.test(name));
        const holds = (family) => named.every((name) => FAMILIES[family].blocks.includes(name));
        if (loaderOf(this.node) === "StoryDemoModel") this.family.value = "Story Demo Model";
        if (!holds(this.family.value)) this.family.value = Object.keys(FAMILIES).find(holds) ?? this.family.value;
        this.draw();
    }

    draw() {
        const family = FAMILIES[this.family.value];
        const chosen = chosenOf(this.text, family.blocks);
        const linked = isLinked(this.node, "blocks");
        this.presets.replaceChildren(...Object.keys(presetsOf(family.blocks)).map((name) =>
            element("button", { type: "button", disabled: linked, "aria-pressed": String(this.text.trim().toLowerCase() === name), onclick: () => this.write(name) }, name)));
        this.picture.replaceChildren(...family.blocks.map((name) => this.block(name, family, chosen, linked)));
        this.picture.style.gridTemplateRows = `repeat(${rowsOf(family)}, 1fr)`;
        growToFit(this.node);
    }

    block(name, family, chosen, linked) {
        const level = levelOf(name, family);
        const side = family.latent / 2 ** level;
        const on = chosen.includes(name);
        const column = name === "mid" ? 2 : name.startsWith("down") ? 1 : 3;
        const flipped = on ? chosen.filter((other) => other !== name) : family.blocks.filter((other) => other === name || chosen.includes(other));
        return element("button", {
            type: "button", "aria-pressed": String(on), disabled: linked || (on && chosen.length === 1),
            title: say("block", { name, side, picture: family.picture }) + (on && chosen.length === 1 ? `; ${say("lastBlock")}` : ""),
            style: `grid-column: ${column}; grid-row: ${name === "mid" ? rowsOf(family) : level - family.top + 1}`,
            onclick: () => this.write(textOfBlocks(flipped, family.blocks)),
        }, element("b", {}, name), element("small", {}, ` ${side}²`));
    }
}

// The type of the first node without a model input on the way up from ours.
function loaderOf(node) {
    for (let steps = 0, at = node; at && steps < 100; steps++) {
        const input = at.inputs?.findIndex((slot) => slot.type === "MODEL") ?? -1;
        if (input < 0) return at.comfyClass;
        at = at.getInputNode?.(input);
    }
    return undefined;
}

app.registerExtension({
    name: "OnePromptOneStory.IPCABlocks",
    setup: () => loadStyle("story.css"),
    nodeCreated(node) {
        if (node.comfyClass === "IPCAPatch" && node.addDOMWidget) new BlocksPicture(node);
    },
});
