// Story Batch's texts `select` and `retake`, read and written: frames from 1, as the node reads them.

// The frames that a text like `1-3,5` names, or all where it is empty. What cannot be read names none.
export function framesIn(text, count) {
    if (!text.trim()) return range(1, count);
    const named = text.split(",").map((part) => /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(part)).filter(Boolean);
    return range(1, count).filter((frame) => named.some(([, first, last]) => frame >= Number(first) && frame <= Number(last ?? first)));
}

// Empty for all and for none: a run without frames is none.
export function textOfFrames(frames, count) {
    if (frames.length === count) return "";
    const parts = [];
    for (const frame of frames) {
        const last = parts.at(-1);
        if (last && last[1] === frame - 1) last[1] = frame;
        else parts.push([frame, frame]);
    }
    return parts.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

// The take of every frame that a text like `3:2, 5` names; the others have take 1.
export function takesIn(text) {
    const takes = new Map();
    for (const part of text.split(",")) {
        const [, first, last, take] = /^\s*(\d+)(?:\s*-\s*(\d+))?(?:\s*:\s*(\d+))?\s*$/.exec(part) ?? [];
        if (first) for (const frame of range(Number(first), Math.min(Number(last ?? first), Number(first) + 4096))) takes.set(frame, Number(take ?? 2));
    }
    return takes;
}

export const textOfTakes = (takes) => [...takes].filter(([, take]) => take > 1).sort(([a], [b]) => a - b).map(([frame, take]) => `${frame}:${take}`).join(", ");

function range(first, last) {
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
