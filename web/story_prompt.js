// Story Prompt in the page: the frames as rows that can be arranged, and how full the prompt is
// while typing.

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
import { castOf, presentIn, toggled } from "./cast_text.js";
import { commands, isSeveral, rowsOf, textOf } from "./frames_text.js";
import { readFrames } from "./lists_text.js";
import { keyOf } from "./names_text.js";
import { pasteList } from "./paste_list.js";
import { picturesOf } from "./story_graph.js";
import { say } from "./words.js";

const ROUTE = "/one-prompt-one-story/tokens";
const DEBOUNCE_MS = 300;
const ROW_HEIGHT = 28;
const CAST_HEIGHT = 22;
const NOTE_HEIGHT = 34;
const SHOWN_ROWS = 8;
const TEXTS = ["identity", "frames", "window_length"];

const editors = new Set();

class FrameEditor {
    constructor(node) {
        this.node = node;
        this.rows = [];
        this.pictures = new Map(); // of the cast, by name
        this.budget = element("div", { class: "opos-budget", role: "status" });
        this.note = element("div", { class: "opos-read", role: "status", hidden: true });
        this.list = element("ol", { class: "opos-frames" });
        this.addButton = element(
            "button",
            { class: "opos-add", type: "button", onclick: () => this.change("add") },
            say("addFrame"),
        );
        this.element = element(
            "div",
            { class: "opos-editor" },
            this.budget,
            this.note,
            this.list,
            this.addButton,
        );
        addPart(
            node,
            "frame_editor",
            this.element,
            () =>
                78 +
                (this.note.hidden ? 0 : NOTE_HEIGHT) +
                Math.min(SHOWN_ROWS * ROW_HEIGHT, this.rowHeight * Math.max(1, this.rows.length)),
        );
        watchWidgets(node, TEXTS, () => this.refresh());
        // the graph may have changed meanwhile
        this.element.addEventListener("pointerenter", () => this.look());
        const removed = node.onRemoved;
        node.onRemoved = (...given) => {
            editors.delete(this);
            return removed?.apply(node, given);
        };
        editors.add(this);
        this.refresh();
    }

    get cast() {
        return castOf(textIn(this.node, "identity"));
    }

    get rowHeight() {
        return ROW_HEIGHT + (this.cast.length ? CAST_HEIGHT : 0);
    }

    value(name) {
        return this.node.widgets.find((widget) => widget.name === name)?.value;
    }

    // From the stored text to the rows; a text that we wrote ourselves leaves the rows, and the
    // cursor in them, alone.
    refresh() {
        const text = textIn(this.node, "frames");
        const linked = isLinked(this.node, "frames");
        if (linked !== this.wasLinked) this.ran = null;
        this.wasLinked = linked;
        this.element.classList.toggle("opos-linked", linked);
        const names = this.cast;
        if (text !== this.written || names.join(" ") !== this.drawnFor) {
            this.rows = text === this.written ? this.rows : rowsOf(text, names);
            this.written = text;
            this.drawnFor = names.join(" ");
            this.draw();
        } else this.tell();
        window.dispatchEvent(new Event(STORY_CHANGED));
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.count(), DEBOUNCE_MS);
    }

    // Whose pictures the graph has now. A row that someone types in is left alone.
    look() {
        const found = picturesOf(this.node);
        if (
            JSON.stringify([...found]) === JSON.stringify([...this.pictures]) ||
            this.list.contains(document.activeElement)
        )
            return;
        this.pictures = found;
        this.draw();
    }

    change(command, ...details) {
        this.rows = commands[command](this.rows, ...details, this.cast);
        this.store();
        this.draw();
        if (command === "add")
            this.list.lastElementChild?.querySelector("input[type=text]").focus();
    }

    store() {
        this.written = textOf(this.rows);
        write(this.node, "frames", this.written);
    }

    // What the text was read as, where that is a list; after a paste with a way back to the text as
    // it was pasted.
    tell() {
        const linked = isLinked(this.node, "frames");
        const pasted = !linked && this.pasted?.after === this.written ? this.pasted : null;
        const { kind, frames, leftOut } =
            (linked ? this.ran : summaryOf(pasted?.read ?? readFrames(this.written, this.cast))) ??
            {};
        this.note.hidden = !kind;
        if (!kind) return this.note.replaceChildren();
        const said = say("readAs", { kind: say(kind), n: frames });
        const left = leftOut.length ? ` ${say("leftOut", { what: leftOut.join(" · ") })}` : "";
        this.note.title = said + left;
        const undo = () => write(this.node, "frames", pasted?.before);
        this.note.replaceChildren(
            element("span", {}, said + left),
            pasted ? element("button", { type: "button", onclick: undo }, say("undo")) : "",
        );
    }

    // A run says how it read a text that comes from another node.
    heard({ kind, frames, left_out: leftOut }) {
        this.ran = { kind, frames, leftOut };
        this.tell();
        growToFit(this.node);
    }

    // Whether a text box is that of our `frames`. Nodes 2.0 draws boxes of its own: the node's text
    // boxes stand in the inputs' order.
    owns(area) {
        const widget = this.node.widgets.find((each) => each.name === "frames");
        if (area === widget.element || area === widget.inputEl) return true;
        const drawn = isLinked(this.node, "frames") ? null : area.closest("[data-node-id]");
        if (
            drawn?.dataset.nodeId !== String(this.node.id) ||
            this.node.graph !== app.canvas.graph ||
            this.element.contains(area)
        )
            return false;
        const boxes = [...drawn.querySelectorAll("textarea")];
        return (
            area.value === textIn(this.node, "frames") && boxes.indexOf(area) === boxes.length - 1
        );
    }

    paste(event, area) {
        const pasted = pasteList(event, area, this.cast, keepForUndo);
        if (!pasted) return;
        this.pasted = pasted;
        if (textIn(this.node, "frames") !== pasted.after) write(this.node, "frames", pasted.after);
        this.tell();
        growToFit(this.node);
    }

    draw() {
        let number = 0;
        this.tell();
        this.list.replaceChildren(
            ...this.rows.map((row, place) => this.row(row, place, row.on ? ++number : null)),
        );
        this.show(this.counted);
        growToFit(this.node);
    }

    row(row, place, number) {
        const button = (label, title, ...command) =>
            element(
                "button",
                {
                    type: "button",
                    title,
                    "aria-label": title,
                    onclick: () => this.change(...command),
                },
                label,
            );
        const text = element("input", {
            type: "text",
            value: row.text,
            "aria-label": number ? say("frame", { n: number }) : say("frameOff"),
            placeholder: say("placeholder"),
        });
        text.addEventListener("input", () => {
            this.rows = commands.write(this.rows, place, text.value);
            this.store();
        });
        text.addEventListener("paste", (event) => {
            const pasted = event.clipboardData?.getData("text") ?? "";
            if (!isSeveral(pasted) && !readFrames(pasted, this.cast).kind) return;
            event.preventDefault();
            this.pasteRow(place, pasted, text);
        });
        text.addEventListener("keydown", (event) => {
            event.stopPropagation();
            const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
            if (!event.altKey || !step) return;
            event.preventDefault();
            this.change("move", place, place + step);
            this.list.children[Math.min(this.rows.length - 1, Math.max(0, place + step))]
                ?.querySelector("input[type=text]")
                .focus();
        });
        const on = element("input", {
            type: "checkbox",
            title: say("tell"),
            "aria-label": say("tell"),
            onchange: () => this.change("toggle", place),
        });
        on.checked = row.on;
        return element(
            "li",
            { class: row.on ? "" : "opos-off" },
            on,
            element("span", { class: "opos-number" }, number ?? "–"),
            text,
            element("span", { class: "opos-tokens" }),
            button("▲", say("up"), "move", place, place - 1),
            button("▼", say("down"), "move", place, place + 1),
            button("×2", say("duplicate"), "duplicate", place),
            button("✕", say("remove"), "remove", place),
            this.chips(place, text),
        );
    }

    // Several lines pasted into a row become as many rows, a list the frames that it holds.
    pasteRow(place, pasted, { value, selectionStart, selectionEnd }) {
        const read = readFrames(pasted, this.cast);
        const [head, tail] = [value.slice(0, selectionStart), value.slice(selectionEnd)];
        const plain = [
            ...this.rows.slice(0, place).map((row) => textOf([row])),
            head + pasted + tail,
            ...this.rows.slice(place + 1).map((row) => textOf([row])),
        ];
        this.change(
            "write",
            place,
            read.kind
                ? [head, textOf(read.rows), tail].filter(Boolean).join("\n")
                : head + pasted + tail,
        );
        this.pasted = read.kind ? { read, before: plain.join("\n"), after: this.written } : null;
        this.tell();
        growToFit(this.node);
    }

    // Who of the cast is in the frame: a click brings one in or leaves one out, and writes that
    // into the text.
    chips(place, input) {
        const cast = this.cast;
        if (!cast.length) return "";
        const bar = element("span", { class: "opos-cast" });
        const draw = () =>
            bar.replaceChildren(
                ...cast.map((name) => {
                    const on = presentIn(this.rows[place].text, cast).includes(name);
                    const title = say(on ? "inPicture" : "notInPicture", { name });
                    const picture = this.pictures.get(keyOf(name));
                    return element(
                        "button",
                        {
                            type: "button",
                            title,
                            "aria-pressed": String(on),
                            onclick: () => {
                                input.value = toggled(this.rows[place].text, name, cast);
                                input.dispatchEvent(new Event("input"));
                            },
                        },
                        picture
                            ? element("img", { src: picture, alt: "", draggable: "false" })
                            : "",
                        `@${name}`,
                    );
                }),
            );
        input.addEventListener("input", draw);
        draw();
        return bar;
    }

    // Without an answer (an old server, another page) the budget stays silent.
    async count() {
        const linked = TEXTS.filter((name) => isLinked(this.node, name));
        if (linked.length)
            return this.show(null, say("linked", { inputs: linked.join(say("and")) }));
        const asked = JSON.stringify(
            Object.fromEntries(TEXTS.map((name) => [name, this.value(name)])),
        );
        this.asked = asked;
        try {
            const answer = await api.fetchApi(ROUTE, {
                method: "POST",
                body: asked,
                headers: { "Content-Type": "application/json" },
            });
            if (this.asked !== asked) return;
            const counted = answer.ok ? await answer.json() : null;
            this.show(
                counted?.problem ? null : counted,
                counted?.problem ?? "",
                Boolean(counted?.problem),
            );
        } catch {
            this.show(null);
        }
    }

    show(counted, note = "", isProblem = false) {
        this.counted = counted;
        this.budget.classList.toggle("opos-problem", isProblem);
        const told = [...this.list.children].filter((item) => !item.classList.contains("opos-off"));
        told.forEach((item, frame) => {
            const tokens = counted?.frames[frame];
            item.querySelector(".opos-tokens").textContent = tokens ?? "";
            item.classList.toggle("opos-over", counted?.over.includes(frame) ?? false);
            item.title = item.classList.contains("opos-over")
                ? say("overRow", { sum: counted.identity + tokens, limit: counted.limit })
                : "";
        });
        this.budget.title = counted?.window ? say("limitOf") : "";
        this.budget.replaceChildren(
            ...(counted?.window
                ? [meter(counted), element("span", {}, sentence(counted))]
                : [element("span", {}, note)]),
        );
    }
}

const summaryOf = ({ kind, rows, leftOut }) => ({
    kind,
    frames: rows.filter((row) => row.on).length,
    leftOut,
});

function meter({ fullest, limit, over }) {
    const share = Math.min(100, (100 * fullest) / limit);
    return element(
        "div",
        { class: `opos-meter${over.length ? " opos-full" : ""}` },
        element("i", { style: `width: ${share}%` }),
    );
}

function sentence({ identity, frames, window, fullest, limit, over, estimate }) {
    const numbers = {
        identity,
        limit,
        window,
        count: frames.length,
        fullest: (estimate ? say("about") : "") + fullest,
    };
    if (over.length)
        return say("over", { ...numbers, frames: over.map((frame) => frame + 1).join(", ") });
    return say(frames.length === 1 ? "one" : window === frames.length ? "all" : "some", numbers);
}

// The graph's own undo keeps the text as it was pasted as a step of its own, where the page lets us
// ask for it.
function keepForUndo() {
    const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
    (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
}

app.registerExtension({
    name: "OnePromptOneStory.StoryPrompt",
    setup() {
        loadStyle("story.css");
        document.addEventListener(
            "paste",
            (event) => {
                const area = event.target;
                if (area instanceof HTMLTextAreaElement)
                    [...editors].find((editor) => editor.owns(area))?.paste(event, area);
            },
            true,
        );
        api.addEventListener("executed", ({ detail }) => {
            const id = String(detail.display_node ?? detail.node)
                .split(":")
                .at(-1);
            const [read] = detail.output?.story_read ?? [];
            if (read)
                editors.forEach((editor) => String(editor.node.id) === id && editor.heard(read));
        });
    },
    afterConfigureGraph: () => editors.forEach((editor) => editor.look()),
    nodeCreated(node) {
        if (node.comfyClass === "StoryPrompt" && node.addDOMWidget) new FrameEditor(node);
    },
});
