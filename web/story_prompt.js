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
import { castOf } from "./cast_text.js";
import { frameRow } from "./frame_row.js";
import { commands, rowsOf, textOf } from "./frames_text.js";
import { readFrames } from "./lists_text.js";
import { pasteList } from "./paste_list.js";
import { hasTokenLimit, picturesOf, rememberLimit } from "./story_graph.js";
import { TokenBar } from "./token_bar.js";
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
        this.bar = new TokenBar();
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
            this.bar.element,
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

    // From the stored text to the rows; a text that we wrote ourselves does not change the rows or
    // the cursor in them.
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

    // Whose pictures the graph has now, and which text encoder. A row that someone types in stays
    // as it is.
    look() {
        if (this.counted && hasTokenLimit(this.node) !== this.hadLimit) this.show(this.counted);
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

    // A run reports how it read a text from another node.
    heard({ kind, frames, left_out: leftOut }) {
        this.ran = { kind, frames, leftOut };
        this.tell();
        growToFit(this.node);
    }

    // Whether a text box is that of our `frames`. Nodes 2.0 draws boxes of its own: the node's text
    // boxes are in the inputs' order.
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
            ...this.rows.map((row, place) => frameRow(this, row, place, row.on ? ++number : null)),
        );
        this.show(this.counted);
        growToFit(this.node);
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
        const hasLimit = hasTokenLimit(this.node);
        this.hadLimit = hasLimit;
        const told = [...this.list.children].filter((item) => !item.classList.contains("opos-off"));
        told.forEach((item, frame) => {
            const tokens = hasLimit ? counted?.frames[frame] : undefined;
            const isOver = hasLimit && (counted?.over.includes(frame) ?? false);
            item.querySelector(".opos-tokens").textContent = tokens ?? "";
            item.classList.toggle("opos-over", isOver);
            item.title = isOver
                ? say("overRow", { sum: counted.identity + tokens, limit: counted.limit })
                : "";
        });
        if (note) this.bar.say(note, isProblem);
        else this.bar.show(counted, hasLimit, this.value("window_length"));
    }
}

const summaryOf = ({ kind, rows, leftOut }) => ({
    kind,
    frames: rows.filter((row) => row.on).length,
    leftOut,
});

// The graph's own undo keeps the text as it was pasted as a step of its own, where the page lets us
// ask for it.
function keepForUndo() {
    const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
    (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
}

// Another CLIP or story on SVR Reweight: the bars may count otherwise.
function watchLinks(node) {
    const before = node.onConnectionsChange;
    node.onConnectionsChange = (...given) => {
        const result = before?.apply(node, given);
        queueMicrotask(() => editors.forEach((editor) => editor.look()));
        return result;
    };
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
            const [limit] = detail.output?.story_limit ?? [];
            if (limit !== undefined) {
                rememberLimit(
                    id,
                    limit,
                    [...editors].map((editor) => editor.node.graph),
                );
                editors.forEach((editor) => editor.look());
            }
            if (read)
                editors.forEach((editor) => String(editor.node.id) === id && editor.heard(read));
        });
    },
    afterConfigureGraph: () => editors.forEach((editor) => editor.look()),
    nodeCreated(node) {
        if (node.comfyClass === "StoryPrompt" && node.addDOMWidget) new FrameEditor(node);
        if (node.comfyClass === "SVRReweight") watchLinks(node);
    },
});
