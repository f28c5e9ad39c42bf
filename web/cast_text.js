// The cast in the texts: who the identity names, whom a frame mentions, and a frame's text with one more or one less.
// It reads as the story does when it runs (story/cast.py): a mention counts at a word's beginning only, \@ is a plain @.

import { linesOf } from "./frames_text.js";

const NAME = "[\\p{L}\\p{M}\\p{N}_]+";
const CHARACTER = new RegExp(`^\\s*@(${NAME})\\s*[:：]`, "u");
const MENTION = new RegExp(`(?<![\\p{L}\\p{M}\\p{N}_\\\\])@(${NAME})`, "gu");
const NOBODY = "nobody";

const keyOf = (name) => name.normalize("NFC").toLowerCase();

export const castOf = (identity) => linesOf(identity).map((line) => CHARACTER.exec(line)?.[1]).filter(Boolean);

// The names that are in a frame. Without a mention that is everyone.
export function presentIn(text, cast) {
    const mentioned = [...text.matchAll(MENTION)].map((match) => keyOf(match[1]));
    return mentioned.length ? cast.filter((name) => mentioned.includes(keyOf(name))) : cast;
}

// The frame's text with one of the cast brought in or left out.
export function toggled(text, name, cast) {
    const present = presentIn(text, cast);
    const wanted = present.includes(name) ? present.filter((other) => other !== name) : cast.filter((other) => other === name || present.includes(other));
    let changed = text.replace(new RegExp(`\\s*(?<![\\p{L}\\p{M}\\p{N}_\\\\])@${NOBODY}(?![\\p{L}\\p{M}\\p{N}_])`, "giu"), "").trim();
    for (const other of cast.filter((each) => !wanted.includes(each))) changed = without(changed, other);
    for (const other of wanted.filter((each) => !mentions(changed, each)).reverse()) changed = withName(changed, other);
    return wanted.length ? changed : `${changed} @${NOBODY}`.trim();
}

const mentions = (text, name) => [...text.matchAll(MENTION)].some((match) => keyOf(match[1]) === keyOf(name));

// A plain word becomes the mention; else the mention goes to the front.
function withName(text, name) {
    const word = name.replaceAll("_", "[ _]");
    const plain = new RegExp(`(?<![\\p{L}\\p{M}\\p{N}_@])${word}(?![\\p{L}\\p{M}\\p{N}_])`, "iu");
    if (plain.test(text)) return text.replace(plain, (found) => `@${found.replaceAll(" ", "_")}`);
    return `@${name}${text.startsWith("@") ? ", " : text ? " " : ""}${text}`;
}

// The mention goes, with the comma or the "and" that tied it to its neighbours.
function without(text, name) {
    const here = `(?<![\\p{L}\\p{M}\\p{N}_\\\\])@${name}(?![\\p{L}\\p{M}\\p{N}_])`;
    const tie = "(?:\\s*,\\s*|\\s+(?:and|&)\\s+)";
    return text.replace(new RegExp(`${here}${tie}|${tie}${here}|${here}`, "giu"), "").replace(/\s+/g, " ").trim();
}
