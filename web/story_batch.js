// Story Batch in the page: its frames as a strip. It writes the plain texts `select` and `retake`
// and saves nothing of its own.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import {
    addPart,
    element,
    growToFit,
    isLinked,
    loadStyle,
    STORY_CHANGED,
    textIn,
    watchWidgets,
    write,
} from "./element.js";
import { castOf } from "./cast_text.js";
import { rowsOf } from "./frames_text.js";
import { framesIn, takesIn, textOfFrames, textOfTakes } from "./selection_text.js";
import { storyOf } from "./story_graph.js";
import { say } from "./words.js";

// two rows of tiles, however many frames there are: a node that grew would cover the one below it
const STRIP_HEIGHT = 214;
const PER_ROW = 4;
const COLLECTORS = ["StorySheet", "StoryScore"]; // what comes out of them is no frame's picture

const strips = new Set();

class Strip {
    constructor(node) {
        this.node = node;
        // by what a frame says: a picture moves and goes with its frame's text
        this.pictures = new Map();
        this.texts = [];
        this.keys = [];
        this.all = element("button", { type: "button", onclick: () => write(node, "select", "") });
        this.tiles = element("div", { class: "opos-tiles", role: "group" });
        this.element = element(
            "div",
            { class: "opos-strip" },
            element("div", { class: "opos-bar" }, this.all),
            this.tiles,
        );
        addPart(node, "frames_strip", this.element, () => STRIP_HEIGHT);
        watchWidgets(node, ["select", "retake"], () => this.draw());
        // the graph may have changed meanwhile
        this.element.addEventListener("pointerenter", () => this.draw());
        const removed = node.onRemoved;
        node.onRemoved = (...given) => {
            strips.delete(this);
            return removed?.apply(node, given);
        };
        strips.add(this);
        this.draw();
    }

    draw() {
        this.texts = framesOf(storyOf(this.node));
        const count = this.texts.length;
        const select = textIn(this.node, "select");
        const takes = takesIn(textIn(this.node, "retake"));
        const chosen = framesIn(select, count);
        this.all.textContent = say("allFrames");
        this.all.disabled = isLinked(this.node, "select");
        this.all.setAttribute("aria-pressed", String(chosen.length === count));
        this.tiles.classList.toggle("opos-one-row", count <= PER_ROW);
        const keys = keysOf(this.texts);
        this.tiles.replaceChildren(
            ...(count
                ? this.texts.map((text, index) =>
                      this.tile(index + 1, text, this.pictures.get(keys[index]), chosen, takes),
                  )
                : [element("span", {}, say("framesUnknown"))]),
        );
        growToFit(this.node);
    }

    tile(n, text, picture, chosen, takes) {
        const take = takes.get(n) ?? 1;
        const count = this.texts.length;
        const whole = chosen.length === count;
        const onlyThis = whole && count > 1; // a click renders this frame and no other
        const flipped = whole
            ? [n]
            : chosen.includes(n)
              ? chosen.filter((other) => other !== n)
              : [...chosen, n].sort((a, b) => a - b);
        const retaken = (to) =>
            write(this.node, "retake", textOfTakes(new Map([...takes, [n, to]])));
        const fixed = isLinked(this.node, "retake");
        const button = (label, title, to) =>
            element(
                "button",
                {
                    type: "button",
                    class: "opos-take",
                    title,
                    "aria-label": title,
                    disabled: fixed,
                    onclick: () => retaken(to),
                },
                label,
            );
        return element(
            "div",
            { class: "opos-tile" },
            element(
                "button",
                {
                    type: "button",
                    class: "opos-frame",
                    "aria-pressed": String(chosen.includes(n)),
                    disabled: isLinked(this.node, "select"),
                    title: `${say(onlyThis ? "renderOne" : "switchFrame", { n })}\n${text}`,
                    onclick: () => write(this.node, "select", textOfFrames(flipped, count)),
                },
                picture ? element("img", { src: picture, alt: "", draggable: "false" }) : "",
                element("b", {}, String(n)),
                take > 1 ? element("small", {}, say("take", { n: take })) : "",
            ),
            element(
                "div",
                { class: "opos-takes" },
                take > 1 ? button("−", say("takeBefore", { n }), take - 1) : "",
                button("⟳", say("anotherTake", { n }), take + 1),
            ),
        );
    }

    // A run begins: which frames it renders is not known yet, what they say may change before it is
    // over.
    began() {
        this.rendered = undefined;
        this.keys = keysOf(framesOf(storyOf(this.node)));
    }

    // What a run made: the node says which frames it rendered, or is not asked because nothing has
    // changed; an output node behind it shows as many pictures.
    ran(id, output) {
        if (id === String(this.node.id) && output.story_frames)
            this.rendered = output.story_frames.map((frame) => frame + 1);
        const pictures = output.images;
        const rendered = this.rendered ?? framesIn(textIn(this.node, "select"), this.keys.length);
        if (
            !pictures ||
            pictures.length !== rendered.length ||
            !comesFrom(app.graph.getNodeById(Number(id)), this.node)
        )
            return;
        rendered.forEach((frame, index) =>
            this.pictures.set(
                this.keys[frame - 1],
                api.apiURL(`/view?${new URLSearchParams(pictures[index])}`),
            ),
        );
        this.draw();
    }
}

// A frame's text, and which of those with the same text it is.
function keysOf(texts) {
    const seen = new Map();
    return texts.map((text) => {
        seen.set(text, (seen.get(text) ?? 0) + 1);
        return `${seen.get(text)} ${text}`;
    });
}

const told = (text, names) =>
    rowsOf(text, names)
        .filter((row) => row.on)
        .map((row) => row.text);

function framesOf(story) {
    return story && !isLinked(story, "frames")
        ? told(textIn(story, "frames"), castOf(textIn(story, "identity")))
        : [];
}

// Whether what arrives at `node` began at `origin`, with nothing in between that puts pictures
// together.
function comesFrom(node, origin) {
    const seen = new Set();
    const waiting = [node];
    while (waiting.length) {
        const at = waiting.pop();
        if (!at || seen.has(at) || COLLECTORS.includes(at.comfyClass)) continue;
        if (at === origin) return true;
        seen.add(at);
        at.inputs?.forEach((_, index) => waiting.push(at.getInputNode?.(index)));
    }
    return false;
}

app.registerExtension({
    name: "OnePromptOneStory.StoryBatch",
    setup() {
        loadStyle("story.css");
        window.addEventListener(STORY_CHANGED, () => strips.forEach((strip) => strip.draw()));
        api.addEventListener("execution_start", () => strips.forEach((strip) => strip.began()));
        api.addEventListener(
            "executed",
            ({ detail }) =>
                detail.output &&
                strips.forEach((strip) =>
                    strip.ran(String(detail.display_node ?? detail.node), detail.output),
                ),
        );
    },
    // Before that the nodes of a workflow, and the links between them, come one after the other.
    afterConfigureGraph: () => strips.forEach((strip) => strip.draw()),
    nodeCreated(node) {
        if (node.comfyClass === "StoryBatch" && node.addDOMWidget) new Strip(node);
    },
});
