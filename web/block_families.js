// The blocks that IPCA Patch can name, by model family, and the `blocks` text that names them.
// Nothing of the page in here.

// UNets: levels of resolution, `top` the first with cross-attention, `latent` the side of level 0
// at the family's picture size. Transformers: how many blocks each stage has, in running order.
// `file` recognises a family by its file's name.
export const FAMILIES = {
    SDXL: {
        levels: 3,
        top: 1,
        latent: 128,
        picture: 1024,
        blocks: ["down1", "down2", "mid", "up0", "up1"],
    },
    "SD1.x, SD2.x": {
        levels: 4,
        top: 0,
        latent: 64,
        picture: 512,
        blocks: ["down0", "down1", "down2", "mid", "up1", "up2", "up3"],
    },
    "Story Demo Model": {
        levels: 2,
        top: 1,
        latent: 16,
        picture: 256,
        blocks: ["down1", "mid", "up0"],
    },
    "Qwen-Image 2.1": transformer(/qwen.?image.?2[._-]?1(?!\d)/i, { block: 32 }),
    "Qwen-Image": transformer(/qwen.?image/i, { block: 60 }),
    "Z-Image": transformer(/z.?image/i, { block: 30 }),
    Anima: transformer(/anima(?![a-z])/i, { block: 28 }),
    "Mage-Flow": transformer(/mage.?flow/i, { block: 12 }),
    "Krea 2": transformer(/krea.?2/i, { block: 28 }),
    "Ideogram 4": transformer(/ideogram/i, { block: 34 }),
    "Ovis-Image": transformer(/ovis/i, { double: 6, single: 27 }),
    NewBie: transformer(/newbie/i, { block: 36 }),
    "Flux.2 Klein 4B": transformer(/klein.*4b/i, { double: 5, single: 20 }),
    "Flux.2 Klein 9B": transformer(/klein.*9b/i, { double: 8, single: 24 }),
    "Flux.2": transformer(/flux.?2/i, { double: 8, single: 48 }),
    Flux: transformer(/flux/i, { double: 19, single: 38 }),
    Chroma: transformer(/chroma/i, { double: 19, single: 38 }),
    "SD3.5 large": transformer(/sd3.5.*large/i, { block: 38 }),
    "SD3, SD3.5 medium": transformer(/sd3/i, { block: 24 }),
    "Lumina 2": transformer(/lumina/i, { block: 26 }),
    "HiDream-I1": transformer(/hidream/i, { double: 16, single: 32 }),
};

function transformer(file, stages) {
    const blocks = Object.entries(stages).flatMap(([stage, count]) =>
        Array.from({ length: count }, (_, number) => `${stage}${number}`),
    );
    return { file, stages, blocks };
}

export function presetsOf({ blocks, stages }) {
    if (stages)
        return {
            all: blocks,
            coarse: blocks.slice(0, blocks.length >> 1),
            fine: blocks.slice(blocks.length >> 1),
        };
    const downs = blocks.filter((name) => name.startsWith("down"));
    const ups = blocks.filter((name) => name.startsWith("up"));
    const coarse = blocks.filter(
        (name) => name === "mid" || name === downs.at(-1) || name === ups[0],
    );
    const fine = blocks.filter((name) => !coarse.includes(name));
    return fine.length ? { all: blocks, coarse, fine } : { all: blocks, coarse };
}

export const namesIn = (text) =>
    text
        .toLowerCase()
        .split(/[\s,;]+/)
        .filter(Boolean);

// The blocks that one name of the text means, as the node reads it: a preset, a block, a stage, or
// a range of numbers.
function blocksNamed(name, family) {
    const presets = presetsOf(family);
    if (name in presets) return presets[name];
    const [, stage, first, last] = family.stages
        ? (name.match(/^([a-z]*)(?:(\d+)(?:-(\d+))?)?$/) ?? [])
        : [];
    const names = Object.keys(family.stages ?? {});
    const meant = stage || (names.length === 1 && first !== undefined ? names[0] : undefined);
    if (!names.includes(meant)) return [name];
    const [from, to] =
        first === undefined
            ? [0, family.stages[meant] - 1]
            : [Number(first), Number(last ?? first)];
    return Array.from(
        { length: Math.max(0, to - from + 1) },
        (_, step) => `${meant}${from + step}`,
    );
}

export function chosenOf(text, family) {
    const named = new Set(namesIn(text).flatMap((name) => blocksNamed(name, family)));
    return family.blocks.filter((name) => named.has(name));
}

// Whether every block that the text names is one of the family's.
export const holds = (text, family) =>
    namesIn(text).every((name) =>
        blocksNamed(name, family).every((block) => family.blocks.includes(block)),
    );

export function textOfBlocks(chosen, { blocks, stages }) {
    if (chosen.length === blocks.length) return "all";
    if (!stages) return chosen.join(", ");
    const parts = [];
    for (const stage of Object.keys(stages)) {
        const numbers = chosen
            .filter((name) => name.startsWith(stage))
            .map((name) => Number(name.slice(stage.length)));
        for (let at = 0; at < numbers.length; ) {
            const first = numbers[at];
            while (numbers[at + 1] === numbers[at] + 1) at++;
            parts.push(
                numbers[at] === first ? `${stage}${first}` : `${stage}${first}-${numbers[at]}`,
            );
            at++;
        }
    }
    return parts.join(", ");
}
