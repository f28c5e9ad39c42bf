// The visible part of a text, as story/marks.py reads it: what is absent at the edges of a line,
// and where a line ends.

export const WHITE =
    "\\t\\n\\v\\f\\r\\x1c-\\x1f \\x85\\xa0\\u1680" +
    "\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
export const INVISIBLE =
    "\\x00-\\x08\\x0e-\\x1b\\x7f-\\x84\\x86-\\x9f\\xad\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e" +
    "\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u206f" +
    "\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb";
const SELECTORS = "\\u034f\\u180b-\\u180d\\u180f\\ufe00-\\ufe0f\\u{e0000}-\\u{e0fff}";
export const JOINERS = "\\u200c\\u200d"; // meant where they touch a letter, its mark or an emoji

const BEFORE = new RegExp(`[${WHITE}${INVISIBLE}${SELECTORS}]`, "u");
const AFTER = new RegExp(`[${WHITE}${INVISIBLE}]`, "u");
const UNSEEN = new RegExp(`^[${WHITE}${INVISIBLE}${SELECTORS}${JOINERS}]*$`, "u");
const HIDDEN = new RegExp(`[${INVISIBLE}${SELECTORS}${JOINERS}]`, "gu");
const EDGE = new RegExp(
    `[${WHITE}${INVISIBLE}\\u034f\\u180b-\\u180d\\u180f\\ufe00-\\ufe0f${JOINERS}\\ud800-\\udfff]`,
); // by halves: a pair is looked at as a whole
const JOINER = new RegExp(`[${JOINERS}]`, "u");
const JOINED = new RegExp(`[\\p{L}\\p{M}\\p{S}${JOINERS}]`, "u");
// only unpaired halves of a surrogate pair: with the u flag a whole pair does not match
const LONE = /[\ud800-\udfff]/gu;

// Python's splitlines: a text from a word processor has some of the rarer ends.
const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;

export const linesOf = (text) => text.split(LINE_END);

// The text without white space and invisible characters at its edges; empty where nothing can be
// seen.
export function stripped(text) {
    if (text && !EDGE.test(text.charAt(0)) && !EDGE.test(text.charAt(text.length - 1))) return text;
    if (UNSEEN.test(text)) return "";
    const chars = [...text];
    let [start, end] = [0, chars.length];
    while (
        BEFORE.test(chars[start]) ||
        (JOINER.test(chars[start]) && !/^[\p{L}\p{M}]/u.test(chars[start + 1]))
    )
        start++;
    while (
        AFTER.test(chars[end - 1]) ||
        (JOINER.test(chars[end - 1]) && !JOINED.test(chars[end - 2] ?? ""))
    )
        end--;
    return chars.slice(start, end).join("");
}

export const withoutInvisible = (text) => text.replace(HIDDEN, "");

export const wellFormed = (text) => text.replace(LONE, "\ufffd");

// A text of several lines as one.
export const oneLine = (text) =>
    stripped(linesOf(wellFormed(text)).map(stripped).filter(Boolean).join(" "));
