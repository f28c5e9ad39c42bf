// The frames' text and the rows of the editor: one frame per line, `#` before a frame that is
// switched off.

import { readFrames } from "./lists_text.js";
import { linesOf, stripped } from "./marks_text.js";

export const rowsOf = (text, names = []) => readFrames(text, names).rows;

export function textOf(rows) {
    return rows.map(({ on, text }) => (on ? text : `# ${text}`.trimEnd())).join("\n");
}

// Whether a pasted text is more than a part of one frame.
export const isSeveral = (text) => linesOf(stripped(text)).length > 1;

// The rows after one of the editor's commands. `place` is the row's index.
export const commands = {
    add: (rows) => [...rows, { on: true, text: "" }],
    remove: (rows, place) => rows.filter((_, index) => index !== place),
    duplicate: (rows, place) =>
        rows.flatMap((row, index) => (index === place ? [row, { ...row }] : [row])),
    toggle: (rows, place) =>
        rows.map((row, index) => (index === place ? { ...row, on: !row.on } : row)),
    move: (rows, place, to) => {
        if (to < 0 || to >= rows.length) return rows;
        const moved = rows.filter((_, index) => index !== place);
        moved.splice(to, 0, rows[place]);
        return moved;
    },
    // A text of several lines written or pasted into one row becomes as many rows.
    write: (rows, place, text, names = []) => {
        if (linesOf(text).length === 1)
            return rows.map((row, index) => (index === place ? { ...row, text } : row));
        return [...rows.slice(0, place), ...rowsOf(text, names), ...rows.slice(place + 1)];
    },
};
