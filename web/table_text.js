// Tables and JSON lists, as story/table.py, story/json_list.py and story/columns.py read them.

import { isApart, isGap, splitTalk } from "./items_text.js";
import { INVISIBLE, oneLine, stripped } from "./marks_text.js";
import { mention } from "./names_text.js";

// In this order: the first that a table has, and that holds words, is the frames.
const FRAME_TITLES = [
    [
        "frame",
        "frames",
        "image",
        "fotograma",
        "imagen",
        "кадр",
        "画面",
        "帧",
        "影格",
        "幀",
        "フレーム",
        "コマ",
        "프레임",
        "장면",
    ],
    ["prompt", "prompts", "invite", "промпт", "提示词", "提示詞", "プロンプト", "프롬프트"],
    [
        "description",
        "descripción",
        "descripcion",
        "описание",
        "描述",
        "说明",
        "說明",
        "説明",
        "설명",
    ],
    [
        "caption",
        "captions",
        "légende",
        "leyenda",
        "подпись",
        "标题",
        "標題",
        "キャプション",
        "캡션",
    ],
    ["text", "texte", "texto", "текст", "文本", "文字", "テキスト", "텍스트"],
];
const CAST_TITLES = [
    "character",
    "characters",
    "cast",
    "personnage",
    "personnages",
    "personaje",
    "personajes",
    "персонаж",
    "персонажи",
    "角色",
    "人物",
    "キャラクター",
    "登場人物",
    "캐릭터",
    "등장인물",
];
const MAX_COLUMNS = 64;

const nameOf = ({ title }) => stripped(title).toLowerCase();
const hasWords = ({ cells }) => cells.some((cell) => /[^0-9０-９.,:;/\-–—#№ \t%]/.test(cell));
const isFrameTitle = (title) =>
    FRAME_TITLES.some((titles) => titles.includes(stripped(title).toLowerCase()));

// A frame for every row (empty where its cell is), and which columns are left out; null where no
// column is the frames.
function framesOfColumns(columns, only) {
    const titled = FRAME_TITLES.flatMap((titles) =>
        columns.filter((column) => titles.includes(nameOf(column)) && hasWords(column)),
    );
    const frames = titled[0] ?? only;
    if (!frames) return null;
    const casts = columns.filter(
        (column) => CAST_TITLES.includes(nameOf(column)) && column !== frames,
    );
    const rows = frames.cells.map((text, place) =>
        text
            ? mention(
                  text,
                  casts.flatMap(({ cells }) => namesIn(cells[place])),
              )
            : "",
    );
    const left = columns.filter(
        (column) => column !== frames && !casts.includes(column) && column.title,
    );
    return { rows, leftOut: left.map(({ title }) => `column ${title}`) };
}

// The characters of a cell: `fox`, `@fox, red cat`, `fox & cat`; a name is one word.
function namesIn(cell) {
    const names = cell
        .split(/[;，、/+&\n,]| and /)
        .map((name) => stripped(name).replace(/^@+/, ""));
    return names
        .filter((name) => /[^\-–—]/.test(name))
        .map((name) => name.split(/\s+/).filter(Boolean).join("_"));
}

// The whole text, less the talk around it, as JSON: a list, or an object that has one list in it.
export function readJson(lines) {
    const seen = lines.map(stripped);
    const start = seen.findIndex((line) => line.startsWith("[") || line.startsWith("{"));
    const end = seen.findLastIndex((line) => line.endsWith("]") || line.endsWith("}"));
    if (start < 0 || end < start || !isApart(lines.slice(0, start))) return null;
    if (seen.slice(end + 1).some(Boolean) && !isGap(seen[end + 1])) return null;
    let value;
    try {
        value = JSON.parse(
            [seen[start], ...lines.slice(start + 1, end), ...(end > start ? [seen[end]] : [])].join(
                "\n",
            ),
        );
    } catch {
        return null;
    }
    const [rows, beside] = listIn(value);
    const frames = framesOfJson(rows);
    if (!frames?.rows.some(Boolean)) return null;
    const [[early, talk], [late, more]] = [
        splitTalk(lines.slice(0, start)),
        splitTalk(lines.slice(end + 1)),
    ];
    return {
        kind: "json",
        lines: [...early, ...frames.rows.filter(Boolean), ...late],
        leftOut: [...talk, ...beside, ...frames.leftOut, ...more],
    };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// The list, and the names of its neighbours if it is in an object; empty where there is none, or
// several.
function listIn(value) {
    if (Array.isArray(value)) return [value, []];
    const names = isObject(value) ? Object.keys(value) : [];
    const lists = names.filter((name) => Array.isArray(value[name]));
    if (lists.length !== 1 || names.some((name) => isObject(value[name]))) return [[], []];
    return [value[lists[0]], names.filter((name) => name !== lists[0])];
}

function framesOfJson(rows) {
    if (rows.length && rows.every((row) => typeof row === "string"))
        return { rows: rows.map(oneLine), leftOut: [] };
    if (!rows.length || !rows.every(isObject)) return null;
    const titles = [...new Set(rows.flatMap(Object.keys))];
    const columns = titles.map((title) => ({
        title,
        cells: rows.map((row) => textOf(row[title])),
    }));
    const texts = columns.filter(({ title }) =>
        rows.every((row) => Object.hasOwn(row, title) && typeof row[title] === "string"),
    );
    return framesOfColumns(columns, texts.length === 1 ? texts[0] : null);
}

// A field as a cell of a table: a list of names as one text, anything else but a text as nothing.
function textOf(value) {
    const text = Array.isArray(value)
        ? value.filter((item) => typeof item === "string").join(", ")
        : value;
    return typeof text === "string" ? oneLine(text) : "";
}

// A header that names the frames' column, and rows of as many cells each; or one column with line
// breaks in quotes.
export function readTable(lines) {
    const start = lines.findIndex((raw) => stripped(raw));
    if (start < 0) return null;
    const whole = [
        lines[start].replace(new RegExp(`^[${INVISIBLE}]+`, "u"), ""),
        ...lines.slice(start + 1),
    ];
    const announced = /^sep=([,;\t])$/i.exec(whole[0])?.[1];
    const text = announced ? whole.slice(1) : whole;
    const quoted = text.some((raw) => raw.startsWith('"'));
    for (const delimiter of announced ? [announced] : ["\t", ";", ","]) {
        if (!text.length || !(quoted || text[0].includes(delimiter) || isFrameTitle(text[0])))
            continue;
        const found = tableIn(text, delimiter);
        if (found) return found;
    }
    return null;
}

function tableIn(lines, delimiter) {
    const rows = rowsOf(lines, delimiter);
    if (!rows || rows.length < 2) return null;
    const [header, ...body] = rows;
    if (header.length > MAX_COLUMNS || body.some((cells) => cells.length !== header.length))
        return null;
    if (header.length === 1) return oneColumn(rows);
    const columns = header.map((title, place) => ({
        title: stripped(title),
        cells: body.map((cells) => oneLine(cells[place])),
    }));
    const withCast = columns.some((column) => CAST_TITLES.includes(nameOf(column)));
    const texts = columns.filter(
        (column) => hasWords(column) && !CAST_TITLES.includes(nameOf(column)),
    );
    if (!(header.some(isFrameTitle) || (withCast && delimiter === "\t" && texts.length === 1)))
        return null;
    // `text, neon sign`: a program writes no space there
    if (delimiter !== "\t" && lines[0].includes(`${delimiter} `)) return null;
    const frames = framesOfColumns(columns, texts.length === 1 ? texts[0] : null);
    if (!frames?.rows.some(Boolean)) return null;
    return { kind: "table", lines: frames.rows.filter(Boolean), leftOut: frames.leftOut };
}

// The only column: with a title that says what it is, or without one where a cell has line breaks.
function oneColumn(rows) {
    const titled = isFrameTitle(rows[0][0]);
    if (!titled && !rows.some(([cell]) => stripped(cell).includes("\n"))) return null;
    const told = rows
        .slice(titled ? 1 : 0)
        .map(([cell]) => oneLine(cell))
        .filter(Boolean);
    return told.length ? { kind: "table", lines: told, leftOut: [] } : null;
}

// Rows of cells; quotes hold line breaks and, doubled, quotes. Null where one stays open.
function rowsOf(lines, delimiter) {
    const text = `${lines.join("\n")}\n`;
    const [quoted, plain] = [/"((?:[^"]|"")*)"/y, new RegExp(`[^${delimiter}\\n]*`, "y")];
    const rows = [];
    let cells = [];
    for (let at = 0; at < text.length; at++) {
        const form = text[at] === '"' ? quoted : plain;
        form.lastIndex = at;
        const match = form.exec(text);
        if (!match) return null;
        cells.push(form === quoted ? match[1].replaceAll('""', '"') : match[0]);
        at += match[0].length;
        if (text[at] !== delimiter && text[at] !== "\n") return null;
        if (text[at] === "\n") {
            if (cells.length > 1 || stripped(cells[0])) rows.push(cells);
            cells = [];
        }
    }
    return rows;
}
