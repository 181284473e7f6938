"""A worker in Python, as python_worker_test.py starts it: python_tasks.py ADDRESS"""

import asyncio
import logging
import os
import sys
import time

sys.path.insert(0, os.path.abspath('python'))

import grove.worker

app = grove.worker.App(sys.argv[1], concurrency=4, drain_timeout=float(sys.argv[2]))


@app.function()
def add(a, b=1):
    """Adds two numbers.

    Or one to one.
    """
    return a + b


@app.function('raw.bytes')
def raw(data):
    return data[::-1]


@app.function()
async def nap(seconds):
    await asyncio.sleep(seconds)
    return 'slept'


@app.function(retry_policy={'max_attempts': 3, 'initial_backoff': 0.01})
def fails(how):
    me = grove.worker.current()
    if how == 'later' and me.number == 1:
        me.save(b'so far')
        raise grove.worker.RetryAfter(0.01, 'not yet')
    if how == 'never':
        raise grove.worker.NeverAgain('no use')
    if how == 'always':
        raise KeyError('x')
    return [me.number, me.checkpoint.decode()]


@app.function()
def waits(path, label=''):
    """Until the file is there."""
    me = grove.worker.current()
    me.progress(0.25, 'a quarter')
    while not os.path.exists(path):
        me.check_cancelled()
        time.sleep(0.01)
    return [os.getpid(), me.labels.get(label, '')]


logging.basicConfig(level=logging.INFO)
app.run()
