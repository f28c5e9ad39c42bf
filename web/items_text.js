// Lists whose items have a number or a bullet in front, as story/items.py and story/numerals.py
// read them.

import { stripped } from "./marks_text.js";

export const SPACE = "[ \\t\\u00a0\\u2009\\u202f\\u3000]";
const DIGITS = "[0-9０-９]{1,3}";
const CHINESE = "[一二三四五六七八九十]{1,3}";
const ROMAN = "[IVX]{1,7}";
export const WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
];
export const NUMBER = `${DIGITS}|${CHINESE}|${ROMAN}`;
// Single characters that are numbers: the first of a run, its number, and how many follow.
const RUNS = [
    [0x2460, 1, 20],
    [0x3251, 21, 15],
    [0x32b1, 36, 15],
    [0x2776, 1, 10],
    [0x24eb, 11, 10],
    [0x2780, 1, 10],
    [0x278a, 1, 10],
    [0x2474, 1, 20],
    [0x2488, 1, 20],
    [0x2160, 1, 12],
];
const GO_ON = [
    [0x2460, 0x3251, 0x32b1],
    [0x2776, 0x24eb],
]; // runs that go on with one another
const KEYCAP_TEN = "🔟";
/** @param {number[]} run */
const rangeOf = ([first, , count]) =>
    `${String.fromCharCode(first)}-${String.fromCharCode(first + count - 1)}`;
const SINGLE = `[${RUNS.map(rangeOf).join("")}]|[0-9]\\ufe0f?\\u20e3|${KEYCAP_TEN}`;
const UNITS = "一二三四五六七八九";
const TO_TEN = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"];

const BRACKETED = new RegExp(
    `^([(（\\[【])${SPACE}*(${NUMBER})${SPACE}*([)）\\]】])[.．:：、，,]?${SPACE}*(.*)$`,
    "u",
);
const FOLLOWED = new RegExp(
    `^((?:№|[Nn][°º]|[Nn]o\\.?)${SPACE}*)?(${NUMBER})(\\.?[ºª°]|번)?` +
        `(${SPACE}*(?:\\\\?\\.\\)|\\\\?[.:．](?![0-9０-９])|\\\\?\\)|[）、：。・，]|` +
        `[\\-–—](?=${SPACE}))|\\t)` +
        `${SPACE}*(.*)$`,
    "u",
);
const ALONE = new RegExp(`^(${SINGLE})[.．:：、，,)）]?${SPACE}*(.*)$`, "u");
const BULLET = new RegExp(
    `^([\\-*+–—·](?=${SPACE})|[•‣⁃◦●○▪▫■□◆◇▶►➤➢→✓✔☐☑・])${SPACE}*(?:\\[[ xX]\\]${SPACE}+)?(.*)$`,
    "u",
);
const RULE = new RegExp(`^(?:[\\-*_=—–]${SPACE}*){3,}$`, "u");
const HEADING_MARK = /^#{2,6}(?!#)/;

// The number that a numeral means, or null: `十一` 11, `IV` 4, `IIII` null.
export function valueOfNumeral(text) {
    if (/^[0-9]/.test(text)) return parseInt(text, 10);
    if (/^[０-９]/.test(text))
        return Number(
            [...text]
                .map((digit) => (/[0-9]/.test(digit) ? digit : digit.charCodeAt(0) - 0xff10))
                .join(""),
        );
    if (text === KEYCAP_TEN) return 10;
    if (WORDS.includes(text.toLowerCase())) return WORDS.indexOf(text.toLowerCase()) + 1;
    if (/^[IVX]+$/.test(text))
        return upTo(
            39,
            (value) => "X".repeat(Math.floor(value / 10)) + TO_TEN[value % 10] === text,
        );
    if (/^[一二三四五六七八九十]+$/.test(text)) return upTo(99, (value) => chinese(value) === text);
    const code = text.codePointAt(0);
    const run = RUNS.find(([first, , count]) => first <= code && code < first + count);
    return run ? run[1] + code - run[0] : null;
}

function upTo(most, fits) {
    for (let value = 1; value <= most; value++) if (fits(value)) return value;
    return null;
}

function chinese(value) {
    const [tens, units] = [Math.floor(value / 10), value % 10];
    return (tens < 2 ? "" : UNITS[tens - 1]) + (tens ? "十" : "") + (units ? UNITS[units - 1] : "");
}

// What numerals of one list have in common.
function familyOf(text) {
    if (text.includes("\u20e3") || text === KEYCAP_TEN) return "keycap";
    if (/^[0-9]/.test(text)) return "digits";
    if (/^[０-９]/.test(text)) return "wide digits";
    if (/^[IVX]+$/.test(text)) return "Roman";
    if (/^[一二三四五六七八九十]+$/.test(text)) return "Chinese";
    const code = text.codePointAt(0);
    const [run] = RUNS.find(([first, , count]) => first <= code && code < first + count) ?? [];
    return `run ${Math.min(...(GO_ON.find((runs) => runs.includes(run)) ?? [run]))}`;
}

// The number that a line begins with, bold or not: what all items share, the number, and the item's
// words.
function numberMarker(line) {
    const bare = line.startsWith("**") ? line.slice(2) : line;
    let match, style, number, rest;
    if ((match = BRACKETED.exec(bare))) {
        let opening, closing;
        [, opening, number, closing, rest] = match;
        style = ["bracket", opening + closing, familyOf(number)];
    } else if ((match = FOLLOWED.exec(unbold(bare)))) {
        let before, ordinal, behind;
        [, before, number, ordinal, behind, rest] = match;
        behind = behind === "\t" ? behind : stripped(behind).replace(/^\\/, "");
        style = ["behind", stripped(before ?? ""), ordinal ?? "", behind, familyOf(number)];
    } else if ((match = ALONE.exec(bare))) {
        [, number, rest] = match;
        style = ["alone", familyOf(number)];
    } else return null;
    const value = valueOfNumeral(number);
    return value === null ? null : { style: style.join("\0"), number: value, rest };
}

export function bulletMarker(line) {
    const match = RULE.test(line) ? null : BULLET.exec(line);
    return match && { style: match[1], number: null, rest: match[2] };
}

export const readNumbers = (lines) => readItems("numbers", lines, numberMarker);

export const readBullets = (lines) => readItems("bullets", lines, bulletMarker);

export const isGap = (line) => !line || RULE.test(line);

// A frame switched off; two `#` or more are a heading of Markdown.
export const isOff = (line) => line.startsWith("#") && !HEADING_MARK.test(line);

// Whether lines that are followed by a list are talk: none, or a blank line, a rule, a heading or a
// colon ends them.
export function isApart(before) {
    if (!before.some(stripped)) return true;
    const last = before.map(stripped).findLast((line) => !isOff(line)) ?? "";
    return isGap(last) || HEADING_MARK.test(last) || /[:：]$/.test(last.replaceAll("*", ""));
}

// Of lines around a list: the frames that are switched off, which stay, and the rest, which is left
// out.
export function splitTalk(lines) {
    const seen = lines.map(stripped).filter((line) => !isGap(line));
    return [seen.filter(isOff), seen.filter((line) => !isOff(line))];
}

// The lines of one frame as one line, without the asterisks of Markdown's bold.
export const joined = (words) =>
    stripped(words.map(stripped).filter(Boolean).join(" ").replaceAll("**", ""));

function readItems(kind, lines, marker) {
    const marked = lines.map((raw) => markedBy(raw, marker));
    const start = marked.findIndex((mark) => mark && (mark.number === null || mark.number === 1));
    if (start < 0 || !isApart(lines.slice(0, start))) return null;
    const { style } = marked[start];
    const indent = indentOf(lines[start]);
    const items = [];
    let [counted, gap, place] = [0, false, start];
    for (; place < lines.length; place++) {
        const line = stripped(lines[place]);
        const mark = marked[place];
        if (isGap(line)) {
            gap = true;
            continue;
        }
        if (mark && mark.style === style) {
            if ((mark.number !== null && mark.number !== counted + 1) || !stripped(mark.rest))
                return null;
            counted++;
            items.push({ on: !isOff(line), words: [mark.rest] });
        } else if (isOff(line)) items.push({ on: false, words: [line.slice(1)] });
        else if (indentOf(lines[place]) > indent) goOn(items.at(-1).words, line);
        else break;
        gap = false;
    }
    const after = marked.slice(place);
    if (counted < 2 || (after.length && !gap) || after.some((mark) => mark && mark.style === style))
        return null;
    const [[early, talk], [late, more]] = [
        splitTalk(lines.slice(0, start)),
        splitTalk(lines.slice(place)),
    ];
    const frames = items
        .map(({ on, words }) => ({ on, text: joined(words) }))
        .filter(({ on, text }) => text || !on);
    return {
        kind,
        lines: [...early, ...frames.map(({ on, text }) => (on ? text : `# ${text}`)), ...late],
        leftOut: [...talk, ...more],
    };
}

function markedBy(raw, marker) {
    const line = stripped(raw);
    return marker(isOff(line) ? stripped(line.slice(1)) : line);
}

// A line that goes on with an item; one with a bullet of its own is a part of it.
function goOn(words, line) {
    const part = bulletMarker(line);
    if (part && words.length) words[words.length - 1] += ",";
    words.push(part ? part.rest : line);
}

// `1**. playing` and `1.** playing` as `1. playing`: where bold ends says nothing.
function unbold(line) {
    const at = line.indexOf("**");
    return at >= 1 && at < 6 ? line.replace("**", "") : line;
}

const indentOf = (raw) => raw.match(/^[ \t\u00a0\u3000]*/)[0].length;
