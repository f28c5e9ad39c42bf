// IPCA Patch in the page: a UNet's blocks as the U that it is, a transformer's in rows. It only
// writes the plain `blocks` text.

import { app } from "../../scripts/app.js";
import { FAMILIES, chosenOf, holds, presetsOf, textOfBlocks } from "./block_families.js";
import {
    addPart,
    element,
    growToFit,
    isLinked,
    loadStyle,
    textIn,
    watchWidgets,
    write,
} from "./element.js";
import { loaderOf } from "./story_graph.js";
import { say } from "./words.js";

const LEVEL_HEIGHT = 30;
const CELLS = 20; // of a transformer's blocks in one row
const CELL_HEIGHT = 20; // with its gap

function levelOf(name, { levels }) {
    return name === "mid"
        ? levels - 1
        : name.startsWith("down")
          ? Number(name.slice(4))
          : levels - 1 - Number(name.slice(2));
}

// Rows of a UNet's picture: one a level, and the bottom of the U.
const rowsOf = ({ levels, top }) => levels - top + 1;

function heightOf(family) {
    if (!family.stages) return LEVEL_HEIGHT * rowsOf(family);
    return (
        8 +
        CELL_HEIGHT *
            Object.values(family.stages).reduce(
                (rows, count) => rows + 1 + Math.ceil(count / CELLS),
                0,
            )
    );
}

class BlocksPicture {
    constructor(node) {
        this.node = node;
        this.family = element(
            "select",
            { title: say("family"), onchange: () => this.draw() },
            ...Object.keys(FAMILIES).map((name) => element("option", {}, name)),
        );
        this.presets = element("span", { class: "opos-presets" });
        this.picture = element("div", {
            class: "opos-u",
            role: "group",
            "aria-label": say("blocks"),
        });
        this.element = element(
            "div",
            { class: "opos-blocks" },
            element("div", { class: "opos-bar" }, this.family, this.presets),
            this.picture,
        );
        addPart(
            node,
            "blocks_picture",
            this.element,
            () => 40 + heightOf(FAMILIES[this.family.value]),
        );
        watchWidgets(node, ["blocks"], () => this.refresh());
        this.refresh();
    }

    get text() {
        return textIn(this.node, "blocks");
    }

    write(text) {
        write(this.node, "blocks", text);
    }

    // The family that has every named block, if the one shown lacks some; else the one of the
    // loader that the model comes from.
    refresh() {
        this.family.value = familyOfLoader(this.node) ?? this.family.value;
        if (!holds(this.text, FAMILIES[this.family.value])) {
            this.family.value =
                Object.keys(FAMILIES).find((name) => holds(this.text, FAMILIES[name])) ??
                this.family.value;
        }
        this.draw();
    }

    draw() {
        const family = FAMILIES[this.family.value];
        const chosen = chosenOf(this.text, family);
        const linked = isLinked(this.node, "blocks");
        this.presets.replaceChildren(
            ...Object.keys(presetsOf(family)).map((name) =>
                element(
                    "button",
                    {
                        type: "button",
                        disabled: linked,
                        "aria-pressed": String(this.text.trim().toLowerCase() === name),
                        onclick: () => this.write(name),
                    },
                    name,
                ),
            ),
        );
        this.picture.className = family.stages ? "opos-stages" : "opos-u";
        this.picture.style.gridTemplateRows = family.stages ? "" : `repeat(${rowsOf(family)}, 1fr)`;
        this.picture.replaceChildren(
            ...(family.stages
                ? this.stages(family, chosen, linked)
                : family.blocks.map((name) => this.block(name, family, chosen, linked))),
        );
        growToFit(this.node);
    }

    // A transformer's blocks, a row of cells for each stage. With Shift, all cells from the one
    // clicked before.
    stages(family, chosen, linked) {
        const cell = (name, number) =>
            element(
                "button",
                {
                    type: "button",
                    "aria-pressed": String(chosen.includes(name)),
                    disabled: linked,
                    title: say("cell", { name }),
                    "aria-label": name,
                    onclick: (event) => {
                        const from =
                            event.shiftKey && this.clicked
                                ? family.blocks.indexOf(this.clicked)
                                : -1;
                        const at = family.blocks.indexOf(name);
                        const meant =
                            from < 0
                                ? [name]
                                : family.blocks.slice(Math.min(from, at), Math.max(from, at) + 1);
                        const on = !chosen.includes(name);
                        this.clicked = name;
                        const left = family.blocks.filter((each) =>
                            meant.includes(each) ? on : chosen.includes(each),
                        );
                        if (left.length) this.write(textOfBlocks(left, family));
                    },
                },
                number % 5 ? "" : String(number),
            );
        return Object.keys(family.stages).flatMap((stage) => [
            element("small", {}, stage),
            ...family.blocks
                .filter((name) => name.startsWith(stage))
                .map((name, number) => cell(name, number)),
        ]);
    }

    block(name, family, chosen, linked) {
        const level = levelOf(name, family);
        const side = family.latent / 2 ** level;
        const on = chosen.includes(name);
        const column = name === "mid" ? 2 : name.startsWith("down") ? 1 : 3;
        const flipped = on
            ? chosen.filter((other) => other !== name)
            : family.blocks.filter((other) => other === name || chosen.includes(other));
        const row = name === "mid" ? rowsOf(family) : level - family.top + 1;
        return element(
            "button",
            {
                type: "button",
                "aria-pressed": String(on),
                disabled: linked || (on && chosen.length === 1),
                title:
                    say("block", { name, side, picture: family.picture }) +
                    (on && chosen.length === 1 ? `; ${say("lastBlock")}` : ""),
                style: `grid-column: ${column}; grid-row: ${row}`,
                onclick: () => this.write(textOfBlocks(flipped, family)),
            },
            element("b", {}, name),
            element("small", {}, ` ${side}²`),
        );
    }
}

function familyOfLoader(node) {
    const loader = loaderOf(node, "MODEL");
    if (loader?.comfyClass === "StoryDemoModel") return "Story Demo Model";
    const files = (loader?.widgets ?? [])
        .map((widget) => String(widget.value))
        .filter((value) => value.includes("."));
    return Object.keys(FAMILIES).find((name) =>
        files.some((file) => FAMILIES[name].file?.test(file)),
    );
}

app.registerExtension({
    name: "OnePromptOneStory.IPCABlocks",
    setup: () => loadStyle("story.css"),
    nodeCreated(node) {
        if (node.comfyClass === "IPCAPatch" && node.addDOMWidget) new BlocksPicture(node);
    },
});
