"""Waiting for a coroutine from plain code."""

import asyncio
import concurrent.futures


def wait_for(work):
    """Run a coroutine to its end in a thread of its own: Playwright keeps an event loop running in
    the caller's.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
