// The page's readers on the shared vectors: node --test tests/vectors/. Python's are held to the
// same by tests/unit/test_vectors.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { FAMILIES, chosenOf, holds, namesIn } from "../../web/block_families.js";
import { castOf, presentIn, toggled } from "../../web/cast_text.js";
import { readsClip } from "../../web/encoder_types.js";
import { commands, rowsOf, textOf } from "../../web/frames_text.js";
import { readFrames } from "../../web/lists_text.js";
import { fold } from "../../web/names_text.js";
import { framesIn, takesIn, textOfFrames, textOfTakes } from "../../web/selection_text.js";

const vectors = (name) =>
    JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), "utf8"));
const textIn = ({ text, file }) =>
    text ?? readFileSync(new URL(`tables/${file}`, import.meta.url), "utf8");
const written = ({ on, text }) => (on ? text : `# ${text}`.trimEnd());

for (const vector of vectors("lists")) {
    test(`lists: ${vector.name}`, () => {
        const read = readFrames(textIn(vector), vector.names ?? []);
        assert.deepEqual(
            { kind: read.kind, frames: read.rows.map(written), left_out: read.leftOut },
            { kind: vector.kind, frames: vector.frames, left_out: vector.left_out ?? [] },
        );
        assert.deepEqual(
            rowsOf(textOf(read.rows), vector.names ?? []),
            read.rows,
            "written out it is the same frames",
        );
    });
}

for (const { name, identity, cast, frames, error } of vectors("cast")) {
    test(`cast: ${name}`, () => {
        if (error) return;
        assert.deepEqual(castOf(identity), cast);
        for (const [text, present] of frames)
            assert.deepEqual(presentIn(text, cast), present, text);
    });
}

for (const { text, count, frames, page } of vectors("select")) {
    test(`select: ${JSON.stringify(text)}`, () => {
        assert.deepEqual(framesIn(text, count), frames ?? page);
        if (frames) assert.deepEqual(framesIn(textOfFrames(frames, count), count), frames);
    });
}

for (const { text, takes } of vectors("retake")) {
    test(`retake: ${JSON.stringify(text)}`, () => {
        if (!takes) return;
        assert.deepEqual(Object.fromEntries(takesIn(text)), takes);
        const again = Object.fromEntries(takesIn(textOfTakes(takesIn(text))));
        assert.deepEqual(
            again,
            Object.fromEntries(Object.entries(takes).filter(([, take]) => take > 1)),
        );
    });
}

for (const { family, text, blocks, error } of vectors("blocks")) {
    test(`blocks: ${family}, ${JSON.stringify(text)}`, () => {
        const known =
            holds(text, FAMILIES[family]) &&
            namesIn(text).length > 0 &&
            chosenOf(text, FAMILIES[family]).length > 0;
        assert.equal(known, !error);
        if (!error) assert.deepEqual(chosenOf(text, FAMILIES[family]), blocks);
    });
}

// Every letter, mark and digit of Unicode with Python's casefold, written by the Python test that
// runs this file.
test("names fold as Python folds them", {
    skip: process.env.FOLDS ? false : "run by tests/unit/test_vectors.py",
}, () => {
    const folds = JSON.parse(readFileSync(process.env.FOLDS ?? "", "utf8"));
    const wrong = Object.entries(folds).filter(([char, folded]) => fold(char) !== folded);
    assert.deepEqual(wrong, []);
});

// The frames of random texts, as Python read them, written by tests/fuzz.
test("random texts are read as Python reads them", {
    skip: process.env.READ ? false : "run by tests/fuzz",
}, () => {
    for (const { text, names, kind, frames, left_out } of JSON.parse(
        readFileSync(process.env.READ ?? "", "utf8"),
    )) {
        const read = readFrames(text, names);
        assert.deepEqual(
            { kind: read.kind, frames: read.rows.map(written), left_out: read.leftOut },
            { kind, frames, left_out },
            JSON.stringify(text),
        );
    }
});

test("a chip brings one of the cast in or leaves one out", () => {
    for (const [text, name, cast, after] of [
        ["@STRASSE in the rain", "Straße", ["Straße", "dog"], "in the rain @nobody"],
        ["the strasse at night @nobody", "Straße", ["Straße"], "the @strasse at night"],
        ["@girl, @dog and @cat at sea", "dog", ["girl", "dog", "cat"], "@girl, @cat at sea"],
        ["@g\u200birl at sea", "girl", ["girl", "dog"], "at sea @nobody"],
        ["a small boat", "small_boat", ["girl", "small_boat"], "@girl a small boat"],
    ])
        assert.equal(toggled(text, name, cast), after);
});

test("a list that is pasted into a row becomes as many rows", () => {
    const rows = [
        { on: true, text: "a" },
        { on: true, text: "b" },
    ];
    assert.deepEqual(commands.write(rows, 0, "1. x\n2. y").map(written), ["x", "y", "b"]);
});

// What a loader is set to, and whether CLIP reads the texts then.
for (const { loader, type = "", file = "", isClip } of [
    { loader: "CheckpointLoaderSimple", file: "sd_xl_base_1.0.safetensors", isClip: true },
    { loader: "CheckpointLoaderSimple", file: "flux1-dev-fp8.safetensors", isClip: false },
    { loader: "CheckpointLoaderSimple", file: "sd3.5_large.safetensors", isClip: true },
    { loader: "StoryDemoModel", isClip: true },
    { loader: "CLIPLoader", type: "qwen_image", file: "qwen_2.5_vl_7b.safetensors", isClip: false },
    { loader: "CLIPLoader", type: "stable_diffusion", file: "clip_l.safetensors", isClip: true },
    {
        loader: "CLIPLoader",
        type: "stable_diffusion",
        file: "qwen_3_06b.safetensors",
        isClip: false,
    },
    { loader: "CLIPLoaderGGUF", type: "flux2", file: "mistral.gguf", isClip: false },
    { loader: "DualCLIPLoader", type: "sdxl", file: "clip_g.safetensors", isClip: true },
    { loader: "DualCLIPLoader", type: "flux", file: "t5xxl.safetensors", isClip: false },
    { loader: "TripleCLIPLoader", file: "t5xxl.safetensors", isClip: true },
    { loader: "QuadrupleCLIPLoader", file: "llama.safetensors", isClip: false },
]) {
    test(`token limit: ${loader} ${type} ${file}`, () => {
        const widgets = [
            { name: "type", value: type },
            { name: "clip_name1", value: file },
        ];
        assert.equal(readsClip(loader, widgets), isClip);
    });
}
