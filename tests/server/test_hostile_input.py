"""A careless or hostile client: the server answers, says what is wrong, and goes on working."""

import asyncio
import copy
import json
import random

import aiohttp
import pytest

from bench.server import PromptFailed
from bench.waiting import wait_for
from bench.workflow import load, to_api, with_inputs

TOKENS = "/one-prompt-one-story/tokens"
OURS = {"StoryPrompt", "SVRReweight", "IPCAPatch", "StoryBatch"}
GATHERING = {"StoryBatch", "StorySlate", "StoryGather"}
ASKED = json.dumps({"identity": "a red fox", "frames": "in the snow\nat sea", "window_length": 10})


def test_a_thousand_questions_at_once(client):
    async def ask():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one():
                async with session.post(client.url + TOKENS, data=ASKED) as answer:
                    return answer.status, await answer.json()

            return await asyncio.wait_for(asyncio.gather(*(one() for _ in range(1000))), 60)

    answers = wait_for(ask())
    assert all(status == 200 and answer == answers[0][1] for status, answer in answers)
    assert client.get("/system_stats")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_the_token_route_takes_posts_alone(client, method):
    async def ask():
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, client.url + TOKENS, data=ASKED) as answer,
        ):
            return answer.status

    assert wait_for(ask()) in (404, 405)


BROKEN = [None, True, -1, 10**30, 1e999, "", "x", "\x00", [], {}, ["nowhere", 0], [[]], "NaN"]


def broken_prompts(prompt: dict, count: int, nodes: set[str]) -> list[dict]:
    """Seeded: an input of one of these nodes removed, renamed, linked to the wrong output or of
    another type.
    """
    draw = random.Random(20)
    inputs = [
        (node, name)
        for node, item in prompt.items()
        if item["class_type"] in nodes
        for name in item["inputs"]
    ]
    links = [
        value
        for item in prompt.values()
        for value in item["inputs"].values()
        if isinstance(value, list)
    ]
    prompts = []
    for _ in range(count):
        changed = copy.deepcopy(prompt)
        node, name = draw.choice(inputs)
        values = changed[node]["inputs"]
        kind = draw.choice(["remove", "rename", "relink", "retype", "retype"])
        value = values.pop(name)
        if kind == "rename":
            values[name.upper()] = value
        elif kind != "remove":
            values[name] = draw.choice(links if kind == "relink" else BROKEN)
        prompts.append(changed)
    return prompts


def test_broken_workflows_are_refused_or_run(client, story_prompt):
    """Never another error than the server's own refusal or our ValueError, and never a server that
    stops answering.
    """
    small = with_inputs(
        with_inputs(story_prompt, "StoryBatch", width=64, height=64, select="1"),
        "KSampler",
        steps=1,
    )
    send(client, small, broken_prompts(small, 150, OURS))


def test_broken_slates_and_shares_are_refused_or_run(client):
    """The same, with pictures that have no slate, shares that are none, or no image at all."""
    prompt = to_api(load("distributed-story"), client.info)
    small = with_inputs(
        with_inputs(prompt, "StoryBatch", width=64, height=64, select="1"), "KSampler", steps=1
    )
    send(client, small, broken_prompts(small, 100, GATHERING))


def send(client, small: dict, prompts: list[dict]) -> None:
    outcomes = {"refused": 0, "ran": 0, "told": 0}
    for changed in prompts:
        try:
            client.run(json.loads(json.dumps(changed)))
            outcomes["ran"] += 1
        except PromptFailed as failure:
            told = str(failure)
            outcomes["told" if told.startswith("ValueError: ") else "refused"] += 1
            assert told.startswith("ValueError: ") or "Prompt" in told or "prompt" in told, told
    assert all(outcomes.values()), outcomes
    assert client.run(small)
