// The frames' text and the rows of the editor: one frame a line, `#` before a frame that is switched off.

// Where a line ends, as the story reads it (Python's splitlines): a text from a word processor has some of the rarer ones.
const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;

export const linesOf = (text) => text.split(LINE_END);

export function rowsOf(text) {
    return linesOf(text).map((line) => line.trim()).filter(Boolean).map((line) => {
        const on = !line.startsWith("#");
        return { on, text: on ? line : line.replace(/^#\s*/, "") };
    });
}

export function textOf(rows) {
    return rows.map(({ on, text }) => (on ? text : `# ${text}`.trimEnd())).join("\n");
}

// The rows after one of the editor's commands. `place` is the row's index.
export const commands = {
    add: (rows) => [...rows, { on: true, text: "" }],
    remove: (rows, place) => rows.filter((_, index) => index !== place),
    duplicate: (rows, place) => rows.flatMap((row, index) => (index === place ? [row, { ...row }] : [row])),
    toggle: (rows, place) => rows.map((row, index) => (index === place ? { ...row, on: !row.on } : row)),
    move: (rows, place, to) => {
        if (to < 0 || to >= rows.length) return rows;
        const moved = rows.filter((_, index) => index !== place);
        moved.splice(to, 0, rows[place]);
        return moved;
    },
    // A text of several lines written or pasted into one row becomes as many rows.
    write: (rows, place, text) => {
        const lines = linesOf(text);
        if (lines.length === 1) return rows.map((row, index) => (index === place ? { ...row, text } : row));
        return [...rows.slice(0, place), ...rowsOf(text), ...rows.slice(place + 1)];
    },
};
