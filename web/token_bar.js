// Story Prompt's bar: how full the prompt is, where the text encoder is CLIP; else how many frames
// share one.

import { element } from "./element.js";
import { say } from "./words.js";

export class TokenBar {
    constructor() {
        this.element = element("div", { class: "opos-budget", role: "status" });
    }

    // `counted` is the server's answer, null where there is none. Without a limit only its frames
    // count, and the window is `window`.
    show(counted, hasLimit, window) {
        if (!counted?.window) return this.say("");
        this.problem = false;
        this.element.title = say(hasLimit ? "limitOf" : "noLimitOf");
        const parts = hasLimit
            ? [meter(counted), element("span", {}, sentence(counted))]
            : [element("span", {}, unlimited(counted.frames.length, window))];
        this.element.replaceChildren(...parts);
    }

    say(note, isProblem = false) {
        this.problem = isProblem;
        this.element.title = "";
        this.element.replaceChildren(element("span", {}, note));
    }

    set problem(isProblem) {
        this.element.classList.toggle("opos-problem", isProblem);
    }
}

function meter({ fullest, limit, over }) {
    const share = Math.min(100, (100 * fullest) / limit);
    return element(
        "div",
        { class: `opos-meter${over.length ? " opos-full" : ""}` },
        element("i", { style: `width: ${share}%` }),
    );
}

function sentence({ identity, frames, window, fullest, limit, over, estimate }) {
    const numbers = {
        identity,
        limit,
        window,
        count: frames.length,
        fullest: (estimate ? say("about") : "") + fullest,
    };
    if (over.length)
        return say("over", { ...numbers, frames: over.map((frame) => frame + 1).join(", ") });
    return say(frames.length === 1 ? "one" : window === frames.length ? "all" : "some", numbers);
}

function unlimited(count, longest) {
    const window = Math.min(longest, count);
    if (count === 1) return say("oneUnlimited");
    return say(window === count ? "allUnlimited" : "someUnlimited", { window, count });
}
