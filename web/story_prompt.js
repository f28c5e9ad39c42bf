// Story Prompt in the page: the frames as rows that can be arranged, and how full the prompt is while typing.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { addPart, element, growToFit, isLinked, loadStyle, textIn, watchWidgets, write } from "./element.js";
import { commands, rowsOf, textOf } from "./frames_text.js";

const ROUTE = "/one-prompt-one-story/tokens";
const DEBOUNCE_MS = 300;
const ROW_HEIGHT = 28;
const SHOWN_ROWS = 8;
const TEXTS = ["identity", "frames", "window_length"];

class FrameEditor {
    constructor(node) {
        this.node = node;
        this.rows = [];
        this.budget = element("div", { class: "opos-budget", role: "status" });
        this.list = element("ol", { class: "opos-frames" });
        this.addButton = element("button", { class: "opos-add", type: "button", onclick: () => this.change("add") }, "+ frame");
        this.element = element("div", { class: "opos-editor" }, this.budget, this.list, this.addButton);
        addPart(node, "frame_editor", this.element, () => 78 + ROW_HEIGHT * Math.min(SHOWN_ROWS, Math.max(1, this.rows.length)));
        watchWidgets(node, TEXTS, () => this.refresh());
        this.refresh();
    }

    value(name) {
        return this.node.widgets.find((widget) => widget.name === name)?.value;
    }

    // From the stored text to the rows; a text that we wrote ourselves leaves the rows, and the cursor in them, alone.
    refresh() {
        const text = textIn(this.node, "frames");
        this.element.classList.toggle("opos-linked", isLinked(this.node, "frames"));
        if (text !== this.written) {
            this.rows = rowsOf(text);
            this.written = text;
            this.draw();
        }
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.count(), DEBOUNCE_MS);
    }

    change(command, ...details) {
        this.rows = commands[command](this.rows, ...details);
        this.store();
        this.draw();
        if (command === "add") this.list.lastElementChild?.querySelector("input[type=text]").focus();
    }

    store() {
        this.written = textOf(this.rows);
        write(this.node, "frames", this.written);
    }

    draw() {
        let number = 0;
        this.list.replaceChildren(...this.rows.map((row, place) => this.row(row, place, row.on ? ++number : null)));
        this.show(this.counted);
        growToFit(this.node);
    }

    row(row, place, number) {
        const button = (label, title, ...command) => element("button", { type: "button", title, "aria-label": title, onclick: () => this.change(...command) }, label);
        const text = element("input", { type: "text", value: row.text, "aria-label": `frame ${number ?? "switched off"}`, placeholder: "what happens in this picture" });
        text.addEventListener("input", () => {
            this.rows = commands.write(this.rows, place, text.value);
            this.store();
        });
        text.addEventListener("paste", (event) => {
            const pasted = event.clipboardData?.getData("text") ?? "";
            if (!/[\r\n]/.test(pasted.trim())) return;
            event.preventDefault();
            const whole = text.value.slice(0, text.selectionStart) + pasted + text.value.slice(text.selectionEnd);
            this.change("write", place, whole);
        });
        text.addEventListener("keydown", (event) => {
            event.stopPropagation();
            const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
            if (!event.altKey || !step) return;
            event.preventDefault();
            this.change("move", place, place + step);
            this.list.children[Math.min(this.rows.length - 1, Math.max(0, place + step))]?.querySelector("input[type=text]").focus();
        });
        const on = element("input", { type: "checkbox", title: "tell this frame", "aria-label": "tell this frame", onchange: () => this.change("toggle", place) });
        on.checked = row.on;
        return element("li", { class: row.on ? "" : "opos-off" }, on, element("span", { class: "opos-number" }, number ?? "–"), text,
            element("span", { class: "opos-tokens" }), button("▲", "move up (Alt+↑)", "move", place, place - 1), button("▼", "move down (Alt+↓)", "move", place, place + 1),
            button("×2", "duplicate", "duplicate", place), button("✕", "remove", "remove", place));
    }

    // Without an answer (an old server, another page) the budget stays silent.
    async count() {
        const linked = TEXTS.filter((name) => isLinked(this.node, name));
        if (linked.length) return this.show(null, `${linked.join(" and ")} comes from another node: tokens are counted when it runs`);
        const asked = JSON.stringify(Object.fromEntries(TEXTS.map((name) => [name, this.value(name)])));
        this.asked = asked;
        try {
            const answer = await api.fetchApi(ROUTE, { method: "POST", body: asked, headers: { "Content-Type": "application/json" } });
            if (this.asked !== asked) return;
            this.show(answer.ok ? await answer.json() : null);
        } catch {
            this.show(null);
        }
    }

    show(counted, note = "") {
        this.counted = counted;
        const told = [...this.list.children].filter((item) => !item.classList.contains("opos-off"));
        told.forEach((item, frame) => {
            const tokens = counted?.frames[frame];
            item.querySelector(".opos-tokens").textContent = tokens ?? "";
            item.classList.toggle("opos-over", counted?.over.includes(frame) ?? false);
            item.title = item.classList.contains("opos-over") ? `identity and this frame take ${counted.identity + tokens} of ${counted.limit} tokens: shorten one of them` : "";
        });
        this.budget.replaceChildren(...(counted?.window ? [meter(counted), element("span", {}, sentence(counted))] : [element("span", {}, note)]));
    }
}

function meter({ fullest, limit, over }) {
    const share = Math.min(100, (100 * fullest) / limit);
    return element("div", { class: `opos-meter${over.length ? " opos-full" : ""}` }, element("i", { style: `width: ${share}%` }));
}

function sentence({ identity, frames, window, fullest, limit, over, estimate }) {
    const about = estimate ? "about " : "";
    if (over.length) return `frame ${over.map((frame) => frame + 1).join(", ")} does not fit: ${about}${fullest} of ${limit} tokens with the identity's ${identity}`;
    if (frames.length === 1) return `1 frame: ${about}${fullest} of ${limit} tokens, identity ${identity}`;
    if (window === frames.length) return `${window} frames share a prompt: ${about}${fullest} of ${limit} tokens, identity ${identity}`;
    return `window is ${window} of ${frames.length} frames: at most ${about}${fullest} of ${limit} tokens, identity ${identity}`;
}

app.registerExtension({
    name: "OnePromptOneStory.StoryPrompt",
    setup: () => loadStyle("story.css"),
    nodeCreated(node) {
        if (node.comfyClass === "StoryPrompt" && node.addDOMWidget) new FrameEditor(node);
    },
});
