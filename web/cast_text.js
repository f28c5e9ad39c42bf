// The cast in the texts: who the identity names, whom a frame mentions, and a frame's text with one
// more or one less. It reads as the story does when it runs (story/cast.py): a mention counts at a
// word's beginning only, \@ is a plain @.

import { JOINERS, linesOf, stripped, withoutInvisible } from "./marks_text.js";
import { NOBODY, isName, keyOf, mention, mentionsIn } from "./names_text.js";

const MARK = "(?:(?:[\\-+–—•‣◦●○▪■·]|\\*(?=\\s)|[0-9]{1,3}[.)、])\\s*)?";
const NAME = "([^\\s:：@*`]+)";
const CHARACTER = [
    new RegExp(`^${MARK}(\\*{1,3}|_{1,2}|\`)@${NAME}\\s*[:：]\\s*\\1\\s*(.*)$`, "u"),
    new RegExp(`^${MARK}(\\*{1,3}|_{1,2})@${NAME}\\s*[:：]\\s*(.*)\\1$`, "u"),
    new RegExp(`^${MARK}(\\*{1,3}|_{1,2}|\`|)@${NAME}\\1\\s*[:：]\\s*(.*)$`, "u"),
];

export const castOf = (identity) =>
    linesOf(identity)
        .map((line) => nameIn(stripped(line)))
        .filter(Boolean);

function nameIn(line) {
    const names = CHARACTER.map((form) => form.exec(line)?.[2]).filter(
        (name) => name && isName(name),
    );
    return names.length ? seen(names[0]) : "";
}

// A name without what cannot be seen: but a joiner in it changes how a word looks.
const seen = (name) =>
    [...name].filter((char) => JOINER.test(char) || withoutInvisible(char)).join("");
const JOINER = new RegExp(`[${JOINERS}]`);

// Of the mentions in a text, those of the cast and of nobody, each with the end of its longest
// known name.
function known(text, cast) {
    const keys = [...cast, NOBODY].map(keyOf);
    return mentionsIn(text).flatMap(({ at, ends, keys: named }) => {
        const longest = named.findIndex((key) => keys.includes(key));
        return longest < 0 ? [] : [{ at, end: ends.at(-1 - longest), key: named[longest] }];
    });
}

// The names that are in a frame. Without a mention that is everyone.
export function presentIn(text, cast) {
    if (!mentionsIn(text).length) return cast;
    const mentioned = known(text, cast).map(({ key }) => key);
    return cast.filter((name) => mentioned.includes(keyOf(name)));
}

// The frame's text with one of the cast brought in or left out.
export function toggled(text, name, cast) {
    const present = presentIn(text, cast);
    const wanted = present.includes(name)
        ? present.filter((other) => other !== name)
        : cast.filter((other) => other === name || present.includes(other));
    const unwanted = [NOBODY, ...cast.filter((each) => !wanted.includes(each))].map(keyOf);
    const left = mention(without(text, unwanted, cast), wanted);
    return wanted.length ? left : `${left} @${NOBODY}`.trim();
}

// The mentions are removed, each with the comma or the "and" that tied it to its neighbours.
function without(text, keys, cast) {
    for (;;) {
        const gone = known(text, cast).find(({ key }) => keys.includes(key));
        if (!gone) return text;
        const chars = [...text];
        let [before, after] = [chars.slice(0, gone.at).join(""), chars.slice(gone.end).join("")];
        const tie = /^(?:\s*,\s*|\s+(?:and|&)\s+)/i;
        if (tie.test(after)) after = after.replace(tie, "");
        else before = before.replace(/(?:\s*,\s*|\s+(?:and|&)\s+)$/i, "");
        text = (before + after).replace(/\s+/g, " ").trim();
    }
}
