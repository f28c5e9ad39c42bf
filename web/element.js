// What both of our parts of the page need: DOM elements, and a node's widgets.

import { app } from "../../scripts/app.js";

// Story Prompt tells it to the window whenever its texts may have changed: the strips of frames
// follow.
export const STORY_CHANGED = "one-prompt-one-story-changed";

// A DOM element in one call: element("button", {class: "x", onclick: f}, "text", child).

export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
        else if (value === true) made.setAttribute(name, "");
        else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
}

export function loadStyle(name) {
    const href = new URL(name, import.meta.url).href;
    if (!document.querySelector(`link[href="${href}"]`))
        document.head.append(element("link", { rel: "stylesheet", href }));
}

// Adds `part`, an element with a `minHeight()`, as a node's last widget. It is never saved and
// never sent.
export function addPart(node, name, part, minHeight) {
    const widget = node.addDOMWidget(name, name, part, {
        serialize: false,
        hideOnZoom: false,
        getMinHeight: minHeight,
        getMaxHeight: minHeight,
    });
    widget.serialize = false;
    for (const event of ["pointerdown", "mousedown", "dblclick", "contextmenu"])
        part.addEventListener(event, (e) => e.stopPropagation());
    return widget;
}

// Calls `changed` whenever a widget of the node gets another value: typed, loaded, undone or
// linked.
export function watchWidgets(node, names, changed) {
    for (const widget of node.widgets.filter((w) => names.includes(w.name))) {
        const before = widget.callback;
        widget.callback = function (...given) {
            const result = before?.apply(this, given);
            changed();
            return result;
        };
    }
    for (const hook of ["onConfigure", "onConnectionsChange"]) {
        const before = node[hook];
        node[hook] = function (...given) {
            const result = before?.apply(this, given);
            changed();
            return result;
        };
    }
}

const widgetOf = (node, name) => node.widgets.find((widget) => widget.name === name);

// A text widget's value, and writing it as if it had been typed.
export const textIn = (node, name) => String(widgetOf(node, name)?.value ?? "");

export function write(node, name, text) {
    const widget = widgetOf(node, name);
    widget.value = text;
    widget.callback?.(text);
    app.graph?.setDirtyCanvas?.(true, true);
}

// Makes the node as high as its widgets need, never lower, and has them laid out again: where there
// was room, nothing else would.
export function growToFit(node) {
    const [width, height] = node.size;
    const needed = node.computeSize()[1];
    if (height < needed) node.setSize([width, needed]);
    app.graph?.setDirtyCanvas?.(true, true);
}

// Whether an input's text comes from another node, so that it is not known before the run.
export const isLinked = (node, name) =>
    node.inputs?.some((input) => input.widget?.name === name && input.link != null) ?? false;
