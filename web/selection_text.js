// Story Batch's texts `select` and `retake`, read and written: frames from 1, as the node reads
// them.

import { stripped } from "./marks_text.js";

const NUMBER = "(\\p{Nd}{1,9})"; // of any script, as in the node
const RANGE = `${NUMBER}(?:\\s*-\\s*${NUMBER})?`;
const FRAMES = new RegExp(`^${RANGE}$`, "u");
const TAKE = new RegExp(`^${RANGE}(?:\\s*:\\s*${NUMBER})?$`, "u");

const partsOf = (text) => text.split(",").map(stripped).filter(Boolean);

// The frames that a text like `1-3,5` names, or all where it is empty. What cannot be read names
// none.
export function framesIn(text, count) {
    if (!stripped(text)) return range(1, count);
    const named = partsOf(text)
        .map((part) => FRAMES.exec(part))
        .filter(Boolean)
        .map(([, first, last]) => [numberOf(first), numberOf(last ?? first)]);
    return range(1, count).filter((frame) =>
        named.some(([first, last]) => frame >= first && frame <= last),
    );
}

// Empty for all, and for none, since a run needs frames.
export function textOfFrames(frames, count) {
    if (frames.length === count) return "";
    const parts = [];
    for (const frame of frames) {
        const last = parts.at(-1);
        if (last && last[1] === frame - 1) last[1] = frame;
        else parts.push([frame, frame]);
    }
    return parts
        .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
        .join(",");
}

// The take of every frame that a text like `3:2, 5` names; the others have take 1.
export function takesIn(text) {
    const takes = new Map();
    for (const match of partsOf(text)
        .map((part) => TAKE.exec(part))
        .filter(Boolean)) {
        const [first, last, take] = [match[1], match[2] ?? match[1], match[3] ?? "2"].map(numberOf);
        for (const frame of range(first, Math.min(last, first + 4096))) takes.set(frame, take);
    }
    return takes;
}

export const textOfTakes = (takes) =>
    [...takes]
        .filter(([, take]) => take > 1)
        .sort(([a], [b]) => a - b)
        .map(([frame, take]) => `${frame}:${take}`)
        .join(", ");

// Digits of a script follow one another from its zero on; some scripts have several such rows one
// after the other.
function valueOfDigit(digit) {
    let before = 0;
    while (/\p{Nd}/u.test(String.fromCodePoint(digit.codePointAt(0) - before - 1))) before++;
    return before % 10;
}

const numberOf = (digits) => Number([...digits].map(valueOfDigit).join(""));

function range(first, last) {
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
