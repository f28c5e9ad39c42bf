// The texts of our parts of the page: `onePromptOneStory` in locales/<language>/main.json. The
// server sends the texts of all packs at once, as it does to the page itself. English is used where
// a language or a text is missing.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const texts = await readTexts();

async function readTexts() {
    try {
        return await api.getCustomNodesI18n();
    } catch {
        return {}; // the parts then show the names of their texts
    }
}

const language = () => app.extensionManager?.setting?.get("Comfy.Locale") ?? "en";

const textOf = (key, chosen) => texts[chosen]?.onePromptOneStory?.[key];

// A text in the page's language, with its {places} filled in.
export function say(key, places = {}) {
    const text = textOf(key, language()) ?? textOf(key, "en") ?? key;
    return text.replace(/\{(\w+)\}/g, (_, name) => places[name]);
}
