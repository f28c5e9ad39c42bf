// A list that is pasted into a text box becomes frames at once. Both steps go through the browser's
// own editing, so that its undo brings back first the text as it was pasted and then the text
// before it.

import { textOf } from "./frames_text.js";
import { readFrames } from "./lists_text.js";

// The event of a paste into `area`, if what is pasted is a list: replaces it by its frames and
// returns what it was read as, with the text of the box as it would be without, and as it is now.
// Else leaves the event to the browser and returns null.
export function pasteList(event, area, names, between) {
    const pasted = event.clipboardData?.getData("text/plain") ?? "";
    const read = readFrames(pasted, names);
    if (!read.kind || !read.rows.length) return null;
    event.preventDefault();
    event.stopImmediatePropagation();
    const start = area.selectionStart;
    const others = area.value.length - (area.selectionEnd - start);
    insert(area, pasted);
    const before = area.value;
    between();
    const end = start + area.value.length - others;
    area.setSelectionRange(start, end);
    const [head, tail] = [area.value.slice(0, start), area.value.slice(end)];
    insert(
        area,
        `${/[^\n]$/.test(head) ? "\n" : ""}${textOf(read.rows)}${/^[^\n]/.test(tail) ? "\n" : ""}`,
    );
    return { read, before, after: area.value };
}

function insert(area, text) {
    if (document.execCommand("insertText", false, text)) return;
    // a browser without it: no undo of its own
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
}
