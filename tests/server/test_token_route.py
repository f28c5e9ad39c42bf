"""The route that counts tokens for the page, through the real server."""

import json

import pytest

TOKENS = "/one-prompt-one-story/tokens"


def ask(client, **asked) -> tuple[int, dict]:
    return client.post(TOKENS, json.dumps(asked).encode())


def test_the_token_route_counts_as_clip_does(client):
    """Counts from CLIP's published vocabulary: every one of these words is one token."""
    status, answer = ask(
        client,
        identity="a red (fox:1.2)",
        frames="in the snow\n# at sea\nat the beach",
        window_length=10,
    )
    assert status == 200
    assert answer == {
        "identity": 3,
        "frames": [3, 3],
        "window": 2,
        "fullest": 9,
        "limit": 75,
        "over": [],
        "estimate": False,
    }


def test_the_token_route_says_what_does_not_fit(client):
    _, answer = ask(
        client,
        identity="fox " * 40,
        frames="\n".join(["snow " * 20, "sea " * 36, "sun " * 35]),
        window_length=10,
    )
    assert (answer["window"], answer["over"], answer["fullest"]) == (1, [1], 76)
    _, answer = ask(client, identity="fox embedding:unknown", frames="snow", window_length=1)
    assert answer["estimate"] is True and answer["identity"] == 2


@pytest.mark.parametrize(
    "body, status",
    [
        (b"", 400),
        (b"[1]", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 5000, 400),
        (b'{"identity": 1, "frames": "x", "window_length": 1}', 400),
        (b'{"identity": "x", "frames": ["x"], "window_length": 1}', 400),
        (b'{"identity": "x", "frames": "x", "window_length": true}', 400),
        (b'{"identity": "x", "frames": "x", "window_length": 65}', 400),
        (b'{"identity": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_the_token_route_refuses_what_it_does_not_take(client, body, status):
    answered, answer = client.post(TOKENS, body)
    assert answered == status and answer["error"]
