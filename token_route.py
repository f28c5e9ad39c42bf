"""The pack's one server route: how many of CLIP's tokens a story's texts take, counted while the
artist types.

It reads a small JSON body and answers with numbers: it opens no file, keeps nothing, and can do
nothing else.
"""

import asyncio
import json
import re
from functools import lru_cache
from typing import Any

from .errors import InputError
from .notices import running_server
from .story.budget import CONTENT_TOKENS, Budget, budget_of
from .story.story import MAX_WINDOW, Story, tell
from .svr.layout import content

PATH = "/one-prompt-one-story/tokens"
MAX_BYTES = 256 * 1024
# Looking an embedding up would read files, so it counts as one token and the answer is called an
# estimate.
EMBEDDING = re.compile(r"embedding:\S+", re.IGNORECASE)


class BadRequest(ValueError):
    """The body is not what the route expects; the message says why."""


def read_request(body: bytes) -> Story:
    """The story of the JSON body {"identity": text, "frames": text, "window_length": int}, frames
    and identity possibly empty.

    Raises InputError where the cast is not in order.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if (
        not isinstance(asked, dict)
        or not isinstance(asked.get("identity"), str)
        or not isinstance(asked.get("frames"), str)
    ):
        raise BadRequest("the body must be an object with the texts identity and frames")
    window = asked.get("window_length")
    if not isinstance(window, int) or isinstance(window, bool) or not 1 <= window <= MAX_WINDOW:
        raise BadRequest(f"window_length must be a whole number from 1 to {MAX_WINDOW}")
    return tell(asked["identity"], asked["frames"], window)


def answer_for(story: Story) -> dict[str, Any]:
    """Token counts of the identity with its whole cast and of every frame that is switched on, and
    the budget that follows from them.
    """
    identity_tokens = sum(map(count_tokens, story.identity_phrases))
    frame_tokens = [count_tokens(text) for text in story.frames]
    budget: Budget = budget_of(identity_tokens, frame_tokens, story.window_length)
    return {
        "identity": identity_tokens,
        "frames": frame_tokens,
        "window": budget.window,
        "fullest": budget.fullest,
        "limit": CONTENT_TOKENS,
        "over": list(budget.over),
        "estimate": any(
            EMBEDDING.search(text) for text in (*story.identity_phrases, *story.frames)
        ),
    }


def count_tokens(text: str) -> int:
    """Content tokens of a text by the CLIP tokenizer that ComfyUI ships, weights like (word:1.2)
    read as ComfyUI does.
    """
    return len(
        content(_tokenizer().tokenize_with_weights(EMBEDDING.sub("x", text), return_word_ids=True))
    )


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    from comfy.sd1_clip import SDTokenizer

    return SDTokenizer()


def register() -> None:
    """Add the route to the running server; where ComfyUI's parts are used without one there is
    nothing to do.
    """
    server = running_server()
    if server is None:
        return
    from aiohttp import web

    one_at_a_time = asyncio.Lock()

    async def tokens(request: web.Request) -> web.Response:
        body = await request.content.read(MAX_BYTES + 1)
        while len(body) <= MAX_BYTES and (
            more := await request.content.read(MAX_BYTES + 1 - len(body))
        ):
            body += more
        if len(body) > MAX_BYTES:
            return web.json_response({"error": f"the body is over {MAX_BYTES} bytes"}, status=413)
        try:
            asked = await asyncio.to_thread(read_request, body)
        except BadRequest as error:
            return web.json_response({"error": str(error)}, status=400)
        except (
            InputError
        ) as error:  # a story that is being typed: the page shows what the run would say
            return web.json_response({"problem": str(error)})
        async with (
            one_at_a_time
        ):  # the tokenizer is Python: more at once would only wait for each other
            return web.json_response(await asyncio.to_thread(answer_for, asked))

    server.routes.post(PATH)(tokens)
