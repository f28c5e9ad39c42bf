// Names of the cast in a text, as story/names.py reads them: where a mention begins and ends, and
// when two names are the same.

import { INVISIBLE, JOINERS, withoutInvisible } from "./marks_text.js";

export const NOBODY = "nobody";

const IN_NAME = new RegExp(`^(?![${INVISIBLE}])[\\p{L}\\p{M}\\p{N}_]$`, "u");
const SKIPPED = new RegExp(`^[${INVISIBLE}${JOINERS}]$`, "u");
// the only script whose small letters fold to its capitals
const CHEROKEE = /^[\u13a0-\u13fd\uab70-\uabbf]$/;

export const inName = (char) => char !== undefined && IN_NAME.test(char);

// Case folding, which JavaScript lacks: ß is ss, ẞ too, ς is σ. Tested on every letter of Unicode
// against Python's casefold.
function foldOf(char) {
    if (CHEROKEE.test(char)) return char.toUpperCase();
    return char === "ı" ? char : lower(lower(char).toUpperCase());
}

// Character by character: at a word's end lower case writes Σ otherwise.
const lower = (text) => [...text].map((char) => char.toLowerCase()).join("");

export const fold = (text) => [...text].map(foldOf).join("");

// What names are compared by: `STRASSE` and `Straße` are the same, and so are é as one character
// and as two.
export const keyOf = (name) => fold(withoutInvisible(name).normalize("NFC"));

// Where the mention that begins with the `@` at this place may end, in characters; empty where it
// is none. `\@` is a plain @.
export function mentionAt(chars, at) {
    if (chars[at] !== "@" || (at && (inName(chars[at - 1]) || chars[at - 1] === "\\"))) return [];
    return nameEnds(chars, at + 1);
}

export function nameEnds(chars, start) {
    const ends = [];
    for (let at = start; ; ) {
        while (at < chars.length && SKIPPED.test(chars[at])) at++;
        const begin = at;
        while (inName(chars[at])) at++;
        if (at === begin) return ends;
        ends.push(at);
    }
}

export const isName = (text) => nameEnds([...text], 0).at(-1) === [...text].length;

// Every mention of a text: where it begins and ends, in characters, and the keys that its name may
// have, the longest first.
export function mentionsIn(text) {
    const chars = [...text];
    return chars.flatMap((char, at) => {
        const ends = char === "@" ? mentionAt(chars, at) : [];
        return ends.length
            ? [
                  {
                      at,
                      ends,
                      keys: ends.map((end) => keyOf(chars.slice(at + 1, end).join(""))).reverse(),
                  },
              ]
            : [];
    });
}

// A plain word becomes the mention; otherwise the mention is put in front.
export function mention(text, names) {
    for (const name of [...names].reverse()) {
        if (mentionsIn(text).some(({ keys }) => keys[0] === keyOf(name))) continue;
        const chars = [...text];
        const place = plainWord(chars, name);
        if (place)
            text = [
                ...chars.slice(0, place[0]),
                "@",
                chars
                    .slice(...place)
                    .join("")
                    .replaceAll(" ", "_"),
                ...chars.slice(place[1]),
            ].join("");
        else text = `@${name}${text.startsWith("@") ? ", " : text ? " " : ""}${text}`;
    }
    return text;
}

// Where the name is written as plain words, `_` as a space: the first place that begins and ends
// with a word.
function plainWord(chars, name) {
    const parts = name.split("_").filter(Boolean);
    const words = wordsOf(chars);
    for (let first = 0; first + parts.length <= words.length; first++) {
        const run = words.slice(first, first + parts.length);
        const [start, end] = [run[0]?.[0], run.at(-1)?.[1]];
        const together = run
            .slice(1)
            .every(
                ([begin], index) =>
                    begin === run[index][1] + 1 && [" ", "_"].includes(chars[begin - 1]),
            );
        if (
            start === undefined ||
            !together ||
            ["@", "_", "\\"].includes(chars[start - 1]) ||
            chars[end] === "_"
        )
            continue;
        if (run.every(([a, b], index) => keyOf(chars.slice(a, b).join("")) === keyOf(parts[index])))
            return [start, end];
    }
    return null;
}

function wordsOf(chars) {
    const words = [];
    /** @type {number | null} */
    let start = null;
    [...chars, " "].forEach((char, at) => {
        const inside = char !== "_" && inName(char);
        if (inside && start === null) start = at;
        else if (!inside && start !== null) {
            words.push([start, at]);
            start = null;
        }
    });
    return words;
}
