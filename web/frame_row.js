// One row of Story Prompt's editor: a frame that can be switched, typed, moved, duplicated and
// removed, with its tokens and a chip for every character.

import { presentIn, toggled } from "./cast_text.js";
import { element } from "./element.js";
import { commands, isSeveral } from "./frames_text.js";
import { readFrames } from "./lists_text.js";
import { keyOf } from "./names_text.js";
import { say } from "./words.js";

// `editor` is the FrameEditor; `place` the row's index; `number` the frame's, null if it is off.
export function frameRow(editor, row, place, number) {
    const button = (label, title, ...command) =>
        element(
            "button",
            {
                type: "button",
                title,
                "aria-label": title,
                onclick: () => editor.change(...command),
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
        editor.rows = commands.write(editor.rows, place, text.value);
        editor.store();
    });
    text.addEventListener("paste", (event) => {
        const pasted = event.clipboardData?.getData("text") ?? "";
        if (!isSeveral(pasted) && !readFrames(pasted, editor.cast).kind) return;
        event.preventDefault();
        editor.pasteRow(place, pasted, text);
    });
    text.addEventListener("keydown", (event) => {
        event.stopPropagation();
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (!event.altKey || !step) return;
        event.preventDefault();
        editor.change("move", place, place + step);
        editor.list.children[Math.min(editor.rows.length - 1, Math.max(0, place + step))]
            ?.querySelector("input[type=text]")
            .focus();
    });
    const on = element("input", {
        type: "checkbox",
        title: say("tell"),
        "aria-label": say("tell"),
        onchange: () => editor.change("toggle", place),
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
        chips(editor, place, text),
    );
}

// Who of the cast is in the frame: a click brings one in or leaves one out, and writes that
// into the text.
function chips(editor, place, input) {
    const cast = editor.cast;
    if (!cast.length) return "";
    const bar = element("span", { class: "opos-cast" });
    const draw = () =>
        bar.replaceChildren(
            ...cast.map((name) => {
                const on = presentIn(editor.rows[place].text, cast).includes(name);
                const title = say(on ? "inPicture" : "notInPicture", { name });
                const picture = editor.pictures.get(keyOf(name));
                return element(
                    "button",
                    {
                        type: "button",
                        title,
                        "aria-pressed": String(on),
                        onclick: () => {
                            input.value = toggled(editor.rows[place].text, name, cast);
                            input.dispatchEvent(new Event("input"));
                        },
                    },
                    picture ? element("img", { src: picture, alt: "", draggable: "false" }) : "",
                    `@${name}`,
                );
            }),
        );
    input.addEventListener("input", draw);
    draw();
    return bar;
}
