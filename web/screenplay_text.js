// A screenplay in Fountain, as story/screenplay.py reads it: what a page of one needs.

import { stripped } from "./marks_text.js";
import { keyOf, mention } from "./names_text.js";

const PLACES = {
    INT: "interior",
    EXT: "exterior",
    EST: "exterior",
    "INT/EXT": "interior and exterior",
    "I/E": "interior and exterior",
};
const HEADING = /^(INT\.?\/EXT|I\/E|INT|EXT|EST)[. ]\s*(\S.*)$/;
const NUMBERED = /\s*#[^#]+#$/;
const FORCED_HEADING = /^\.(?![.\s])(.+)$/;
const TRANSITION = /^(?:[^a-z]*\bTO:|FADE (?:IN|OUT)[.:]?|CUT TO BLACK[.:]?|THE END\.?|>.*[^<])$/;
const CUE = /^@?([^()^:]*?)\s*(?:\([^()]*\)\s*)*\^?$/;
const NOTES = [
    ["[[", "]]"],
    ["/*", "*/"],
];
const EMPHASIS = /(?<!\\)(\*{1,3}|_)(?=\S)(.{1,300}?)(?<=\S)\1/g;
const END = /^-{3,}$/;

// At least one scene heading in capitals between blank lines, and at least one line of action.
export function readScreenplay(lines, names) {
    const paragraphs = paragraphsOf(lines);
    const start = paragraphs.findIndex(placeOf);
    if (start < 0) return null;
    const scenes = [];
    const leftOut = paragraphs.slice(0, start).flat();
    for (let place = start; place < paragraphs.length; place++) {
        const paragraph = paragraphs[place];
        const [line] = paragraph;
        const scene = scenes.at(-1);
        const heading = placeOf(paragraph);
        if (END.test(line)) {
            leftOut.push(...paragraphs.slice(place + 1).flat());
            break;
        }
        if (heading) scenes.push({ place: heading, actions: [], cues: [] });
        else if (paragraph.length > 1 && cueOf(line)) {
            speak(scene, cueOf(line), names);
            leftOut.push(...paragraph);
        } else if (
            paragraph.length === 1 &&
            (TRANSITION.test(plain(line)) || "=~".includes(line[0]))
        )
            leftOut.push(line);
        else {
            scene.actions.push({
                words: plain(paragraph.map((words) => stripped(words.replace(/^!/, ""))).join(" ")),
                cues: scene.cues,
            });
            scene.cues = [];
        }
    }
    if (!scenes.some(({ actions }) => actions.length)) return null;
    const frames = scenes.flatMap(({ place, actions, cues }) =>
        actions.length
            ? actions.map((action) => withPlace(place, action.words, action.cues, names))
            : [withPlace(place, "", cues, names)],
    );
    return { kind: "screenplay", lines: frames, leftOut };
}

// The text between blank lines, without notes.
function paragraphsOf(lines) {
    const bare = NOTES.reduce(
        (text, [opening, closing]) => without(text, opening, closing),
        lines.join("\n"),
    );
    /** @type {string[][]} */
    const paragraphs = [[]];
    for (const line of bare.split("\n").map(stripped)) {
        const last = paragraphs[paragraphs.length - 1];
        if (line) last.push(line);
        else if (last.length) paragraphs.push([]);
    }
    return paragraphs.filter((paragraph) => paragraph.length);
}

function without(text, opening, closing) {
    const kept = [];
    let at = 0;
    for (;;) {
        const start = text.indexOf(opening, at);
        const end = start < 0 ? -1 : text.indexOf(closing, start + opening.length);
        if (end < 0) return kept.join("") + text.slice(at);
        kept.push(
            text.slice(at, start),
            "\n".repeat(text.slice(start, end).split("\n").length - 1),
        );
        at = end + closing.length;
    }
}

// A scene heading in words, `interior, kitchen, night`; empty where the paragraph is none.
function placeOf(paragraph) {
    if (paragraph.length !== 1) return "";
    const bare = paragraph[0].replace(NUMBERED, "");
    let match = HEADING.exec(bare);
    let parts;
    if (match) parts = [PLACES[match[1].replaceAll(".", "")], ...match[2].split(" - ")];
    else if ((match = FORCED_HEADING.exec(bare)) && match[1].toUpperCase() === match[1])
        parts = match[1].split(" - ");
    else return "";
    return parts
        .map(stripped)
        .filter(Boolean)
        .map((part) => part.toLowerCase())
        .join(", ");
}

// The character who speaks, where the line is a cue: capitals, or `@` before it.
function cueOf(line) {
    const name = stripped(CUE.exec(line)?.[1] ?? "");
    if (!name) return "";
    return line.startsWith("@") || (name.toUpperCase() === name && name.toLowerCase() !== name)
        ? name
        : "";
}

// The one who speaks is in the frame before the dialogue; before any action, in the first frame.
function speak(scene, cue, names) {
    const told = scene.actions.at(-1)?.cues ?? scene.cues;
    told.push(
        ...names.filter(
            (name) => keyOf(name) === keyOf(cue.replaceAll(" ", "_")) && !told.includes(name),
        ),
    );
}

// `interior, kitchen, night: the fox pours tea.` with its cast; a place of the cast is mentioned
// too.
function withPlace(place, words, cues, names) {
    const own = place
        .split(", ")
        .flatMap((part) =>
            names.filter((name) => keyOf(name) === keyOf(part.replaceAll(" ", "_"))),
        );
    return mention(words ? `${place}: ${words}` : place, [...own, ...cues]);
}

// Without Fountain's emphasis and the arrows of centred text.
const plain = (words) => stripped(words.replace(/^>\s*(.*?)\s*<$/, "$1").replace(EMPHASIS, "$2"));
