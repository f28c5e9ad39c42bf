// Frames as people write them: one frame per line, or a pasted list. Read as story/lists.py reads
// it, and tests/vectors holds both to the same answers.

import { readHeadings } from "./headings_text.js";
import { readBullets, readNumbers } from "./items_text.js";
import { linesOf, stripped } from "./marks_text.js";
import { readScreenplay } from "./screenplay_text.js";
import { readJson, readTable } from "./table_text.js";

const CODE = "code";
const FENCE = /^[ \t]*(```+|~~~+)[ \t]*[^`\s]*[ \t]*$/;
const DEPTH = 4; // a list in a list in a code block
const READERS = [
    readCodeBlock,
    readJson,
    readScreenplay,
    readTable,
    readHeadings,
    readNumbers,
    readBullets,
];

// The rows of a text, `{on, text}` each; what it was read as (empty: one frame per line); and what
// was left out of it. `names` are the cast's: a screenplay's character cues become mentions of
// them.
export function readFrames(text, names = []) {
    let lines = linesOf(text);
    /** @type {string[][]} */
    const [kinds, leftOut] = [[], []];
    for (let depth = 0; depth < DEPTH; depth++) {
        const found = recognised(lines, names);
        if (!found) break;
        kinds.push(found.kind);
        leftOut.push(...found.leftOut);
        lines = found.lines;
    }
    return {
        kind: kinds.find((kind) => kind !== CODE) ?? kinds[0] ?? "",
        rows: lines.map(stripped).filter(Boolean).map(rowOf),
        leftOut,
    };
}

function recognised(lines, names) {
    for (const read of READERS) {
        const found = read(lines, names);
        if (found) return found;
    }
    return null;
}

function rowOf(line) {
    const on = !line.startsWith("#");
    return { on, text: on ? line : stripped(line.slice(1)) };
}

// The text between two lines of ``` or ~~~, if that is a list or several lines; the talk around it
// is left out.
function readCodeBlock(lines, names) {
    const seen = lines.map(stripped);
    const fences = seen.flatMap((line, place) => (FENCE.test(line) ? [place] : []));
    if (fences.length !== 2 || seen[fences[0]].slice(0, 3) !== seen[fences[1]].slice(0, 3))
        return null;
    const inside = lines.slice(fences[0] + 1, fences[1]);
    if (inside.filter((line) => stripped(line)).length < 2 && !recognised(inside, names))
        return null;
    return {
        kind: CODE,
        lines: inside,
        leftOut: [...seen.slice(0, fences[0]), ...seen.slice(fences[1] + 1)].filter(Boolean),
    };
}
