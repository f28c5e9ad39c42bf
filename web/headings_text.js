// Headings with a number, as story/headings.py reads them: `Scene 1: ..`, `**Panel 2**`, `第三幕`.

import {
    NUMBER,
    SPACE,
    WORDS,
    bulletMarker,
    isApart,
    isGap,
    isOff,
    joined,
    splitTalk,
    valueOfNumeral,
} from "./items_text.js";
import { stripped } from "./marks_text.js";

// Scene, frame, panel, shot, page and beat in the eight languages of the pack, and what a frame is
// called there.
export const WORDS_BEFORE = [
    "scene",
    "frame",
    "panel",
    "shot",
    "page",
    "beat",
    "image",
    "picture",
    "prompt",
    "scène",
    "cadre",
    "case",
    "vignette",
    "plan",
    "planche",
    "temps",
    "escena",
    "fotograma",
    "cuadro",
    "viñeta",
    "plano",
    "toma",
    "página",
    "imagen",
    "сцена",
    "кадр",
    "панель",
    "план",
    "страница",
    "бит",
    "такт",
    "картинка",
    "изображение",
    "场景",
    "镜头",
    "分镜",
    "画面",
    "面板",
    "页面",
    "节拍",
    "图片",
    "场",
    "帧",
    "格",
    "页",
    "幕",
    "图",
    "場景",
    "鏡頭",
    "分鏡",
    "畫面",
    "影格",
    "頁面",
    "節拍",
    "圖片",
    "場",
    "幀",
    "頁",
    "圖",
    "シーン",
    "場面",
    "フレーム",
    "パネル",
    "コマ",
    "ショット",
    "カット",
    "ページ",
    "ビート",
    "장면",
    "씬",
    "프레임",
    "패널",
    "컷",
    "샷",
    "숏",
    "페이지",
    "쪽",
    "비트",
];
// Behind the number: 第一幕, 1コマ目, 3컷.
export const COUNTERS = [
    "场景",
    "镜头",
    "分镜",
    "画面",
    "场",
    "镜",
    "帧",
    "格",
    "页",
    "幕",
    "拍",
    "张图",
    "場景",
    "鏡頭",
    "分鏡",
    "畫面",
    "場",
    "鏡",
    "幀",
    "頁",
    "影格",
    "張圖",
    "シーン",
    "場面",
    "コマ目",
    "コマ",
    "カット",
    "ページ",
    "フレーム",
    "번째 장면",
    "번째 컷",
    "장면",
    "씬",
    "장",
    "컷",
    "패널",
    "페이지",
    "쪽",
    "프레임",
];

const longestFirst = (words) => [...words].sort((a, b) => b.length - a.length).join("|");
const NUMERAL = `${NUMBER}|${WORDS.join("|")}`;
const OPENING = /^[*_>[(【「《<（ \t\u00a0\u3000]*/;
const CLOSING = "[*_\\])】」》>）]*";
const ASIDE = `(?:${SPACE}*(?:/|of)${SPACE}*[0-9]{1,3})?(?:${SPACE}*[(（][^()（）]{1,60}[)）])?`;
const SIGN = `(?:[.:．：、)）|。]|[\\-–—]+(?=${SPACE}|$))`;
const END = `${ASIDE}(${CLOSING})(${SPACE}*${SIGN}${CLOSING})?${SPACE}*(.*)$`;
const NAMED = new RegExp(
    `^(${longestFirst(WORDS_BEFORE)})${SPACE}*(?:№|[Nn][°º]|#)?${SPACE}*(${NUMERAL})${END}`,
    "iu",
);
const COUNTED = new RegExp(
    `^(第?${SPACE}*)(${NUMERAL})${SPACE}*(${longestFirst(COUNTERS)})${END}`,
    "iu",
);

// At least two headings with one word and consecutive numbers, all with a text after them on the
// line or all with one below.
export function readHeadings(lines) {
    const found = lines
        .map((raw, place) => ({ ...headingIn(stripped(raw)), place }))
        .filter(({ word }) => word);
    if (found.length < 2 || !inARow(found) || !isApart(lines.slice(0, found[0].place))) return null;
    const bodies = found.map(({ place }, index) =>
        bodyOf(lines.slice(place + 1, found[index + 1]?.place)),
    );
    const full = bodies.map(({ paragraphs }) => paragraphs.length > 0);
    let read;
    if (full.every(Boolean)) read = below(found, bodies);
    else if (
        !full.slice(0, -1).some(Boolean) &&
        !(full.at(-1) && !isGap(stripped(lines[found.at(-1).place + 1])))
    )
        read = behind(found, bodies.at(-1));
    else return null;
    if (!read.frames.every(Boolean)) return null;
    const [early, talk] = splitTalk(lines.slice(0, found[0].place));
    return {
        kind: "headings",
        lines: [...early, ...read.frames],
        leftOut: [...talk, ...read.leftOut],
    };
}

function headingIn(line) {
    const [hashes] = line.match(/^#{0,6}/);
    const bare = line.slice(hashes.length).replace(OPENING, "");
    let match, word, value, closed, separator, rest, sure;
    if ((match = NAMED.exec(bare))) {
        [, word, value, closed, separator, rest] = match;
        sure = closed;
    } else if ((match = COUNTED.exec(bare))) {
        [, sure, value, word, closed, separator, rest] = match;
        sure = closed || sure;
    } else return null;
    const figure = valueOfNumeral(
        /^[IVX]+$/.test(value.toUpperCase()) ? value.toUpperCase() : value,
    );
    return figure === null || (rest && !separator && !sure)
        ? null
        : { hashes, word: word.toLowerCase(), value: figure, rest };
}

const inARow = (headings) =>
    headings.every(
        ({ word, value }, step) => word === headings[0].word && value === headings[0].value + step,
    );

// The paragraphs below a heading, and the lines after a rule that ends them.
function bodyOf(lines) {
    const paragraphs = [];
    let fresh = true;
    for (const [place, raw] of lines.entries()) {
        const line = stripped(raw);
        if (line && isGap(line) && paragraphs.length)
            return { paragraphs, behind: lines.slice(place + 1) };
        if (isGap(line)) {
            fresh = true;
            continue;
        }
        if (fresh) paragraphs.push([]);
        paragraphs.at(-1).push(line);
        fresh = false;
    }
    return { paragraphs, behind: [] };
}

// The bodies are the frames; the titles are left out. More paragraphs below the last than below any
// other are talk.
function below(headings, bodies) {
    const most = Math.max(...bodies.slice(0, -1).map(({ paragraphs }) => paragraphs.length));
    /** @type {string[][]} */
    const [frames, leftOut] = [[], []];
    for (const [index, heading] of headings.entries()) {
        const own = bodies[index].paragraphs.slice(0, most).flat();
        const [off, talk] = splitTalk([
            ...bodies[index].paragraphs.slice(most).flat(),
            ...bodies[index].behind,
        ]);
        const told = own.filter((line) => !isOff(line));
        if (told.length) frames.push(marked(heading, headings, asOneLine(told)));
        frames.push(...own.filter(isOff), ...off);
        leftOut.push(...[joined([heading.rest])].filter(Boolean), ...talk);
    }
    return { frames, leftOut };
}

// The texts after the headings are the frames; what comes after the last is talk.
function behind(headings, last) {
    const [off, talk] = splitTalk([...last.paragraphs.flat(), ...last.behind]);
    const words = headings.map((heading) => [heading, joined([heading.rest])]);
    return {
        frames: [
            ...words.map(([heading, text]) => text && marked(heading, headings, text)),
            ...off,
        ],
        leftOut: talk,
    };
}

// One `#` before some of the headings and not before others switches their frames off; before all
// it is Markdown's.
const marked = ({ hashes }, headings, words) =>
    hashes === "#" && headings.some((other) => other.hashes !== "#") ? `# ${words}` : words;

function asOneLine(lines) {
    const parts = lines.map((line) => [line, bulletMarker(line)]);
    if (parts.length > 1 && parts.every(([, marker]) => marker))
        return joined([parts.map(([, marker]) => stripped(marker.rest)).join(", ")]);
    return joined(parts.map(([line, marker]) => marker?.rest ?? line));
}
