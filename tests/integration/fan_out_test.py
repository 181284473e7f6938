"""Webhooks to many origins through http.request: each origin's bounds are kept, and what is slow,
angry or dead leaves the others alone."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import tempfile
import time
import unittest

from grove_api import FAILED, SUCCEEDED, duration, spec, tasks
from grove_harness import OwnDaemonTest, eventually
from origins import ANGRY, DEAD, KINDS, PACED, SLOW, WELL, Origins, address

KEY = bytes(range(24))
SECRET = 'whsec_' + base64.b64encode(KEY).decode()
CONCURRENCY = 4
PACE_S = 0.05
# With --test_env=GROVE_FAN_OUT=10 by hand: 20,000 to a thousand.
SCALE = int(os.environ.get('GROVE_FAN_OUT', '1'))
# Kind -> origins and webhooks to each: 2,000 to a hundred.
DOSE = {WELL: (70 * SCALE, 26), SLOW: (12 * SCALE, 8), ANGRY: (6 * SCALE, 8),
        DEAD: (8 * SCALE, 3), PACED: (4 * SCALE, 8)}
CONFIG = '''
fetch:
  allow: [127.0.0.0/8]
  concurrency_max: {at_once}
  timeout_ms: 240000
  per_origin: {{concurrency_max: {concurrency}, breaker_failures: 3, breaker_open_ms: 50}}
  origins:
{paced}
  secrets: [{{name: orders, secret_file: "{secret}"}}]
'''


def paced(count):
    return '\n'.join(f'    - {{pattern: "http://{address(PACED, number)}", '
                     f'requests_per_second: {round(1 / PACE_S)}, burst: 1}}'
                     for number in range(1, count + 1))


def webhook(origins, kind, number, i):
    # Half of them survive everything.
    return spec('http.request',
                {'url': origins.url(kind, number), 'json': {'to': f'{kind}.{number}', 'event': i},
                 'sign': {'secret': 'orders'}},
                durability=tasks.DURABILITY_DURABLE if i % 2 == 0 else tasks.DURABILITY_VOLATILE,
                retry_policy=tasks.RetryPolicy(max_attempts=2 if kind == DEAD else 5,
                                        initial_backoff=duration(0.05)))


def body_of(kind, number, i):
    return json.dumps({'event': i, 'to': f'{kind}.{number}'}, separators=(',', ':')).encode()


class FanOutTest(OwnDaemonTest):

    def start_with(self, dose):
        self.dose = dose
        self.origins = Origins()
        self.addCleanup(self.origins.close)
        told = tempfile.mkdtemp(prefix='grove-told-')
        self.addCleanup(shutil.rmtree, told)
        secret = os.path.join(told, 'orders.secret')
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='utf-8') as file:
            file.write(SECRET + '\n')
        self.start(config=CONFIG.format(
            concurrency=CONCURRENCY, at_once=64 * SCALE, paced=paced(dose[PACED][0]),
            secret=secret))
        self.api = self.daemon.api()

    def spawn(self):
        """{kind: names}, spawned in turns, so that each kind stands in the others' way."""
        specs = [(kind, webhook(self.origins, kind, number, i))
                 for i in range(max(each for _, each in self.dose.values()))
                 for kind, (count, each) in self.dose.items() if i < each
                 for number in range(1, count + 1)]
        names = {kind: [] for kind in self.dose}
        for at in range(0, len(specs), 500):
            part = specs[at:at + 500]
            for (kind, _), result in zip(part, self.api.spawn_batch([s for _, s in part])):
                names[kind].append(result.name)
        return names

    def states(self, names):
        return [self.api.get(name).state for name in names]

    def expect_all(self, names, state):
        for at in range(0, len(names), 500):
            for result in self.api.wait_batch(names[at:at + 500], 55):
                self.assertEqual(result.task.state, state, result)

    def test_two_thousand_webhooks_to_a_hundred_origins(self):
        self.start_with(DOSE)
        began = time.monotonic()
        names = self.spawn()
        # All of these end while the slow ones have not answered a single one.
        self.expect_all(names[WELL], SUCCEEDED)
        self.expect_all(names[PACED], SUCCEEDED)
        self.expect_all(names[ANGRY], SUCCEEDED)
        self.expect_all(names[DEAD], FAILED)
        eventually('each slow one has as many as it may', lambda: [
            origin.running for origin in self.origins.of(SLOW)
        ] == [CONCURRENCY] * DOSE[SLOW][0])
        self.assertEqual({state for state in self.states(names[SLOW]) if state == SUCCEEDED}, set())
        self.origins.release()
        self.expect_all(names[SLOW], SUCCEEDED)
        took = time.monotonic() - began
        asked = sum(origin.asked for origin in self.origins.origins.values())
        print(f'{sum(len(each) for each in names.values())} webhooks to '
              f'{len(self.origins.origins)} origins: {asked} requests in {took:.1f} s')
        self.check_origins(began)
        self.check_bodies()
        self.check_metrics()
        self.daemon.stop()

    def check_origins(self, began):
        for where, origin in self.origins.origins.items():
            self.assertLessEqual(origin.running_most, CONCURRENCY, where)
        for kind in (WELL, SLOW, PACED):
            each = self.dose[kind][1]
            self.assertEqual({origin.asked for origin in self.origins.of(kind)}, {each},
                             f'{KINDS[kind]} ones were asked once for each')
        for origin in self.origins.of(PACED):
            self.assertGreaterEqual(origin.last - began, (self.dose[PACED][1] - 1) * PACE_S)
        for origin in self.origins.of(ANGRY):
            # Those that were under way when it said so.
            self.assertLessEqual(origin.refused, 2 * CONCURRENCY)

    def check_bodies(self):
        for kind in (WELL, SLOW, ANGRY, PACED):
            count, each = self.dose[kind]
            for number in range(1, count + 1):
                for i in range(each):
                    body = body_of(kind, number, i)
                    self.assertEqual(self.origins.bodies[body], 1, body)
        body = body_of(WELL, 1, 0)
        fields = self.origins.heads[body]
        told = f"{fields['webhook-id']}.{fields['webhook-timestamp']}.".encode() + body
        self.assertEqual(fields['webhook-signature'], 'v1,' + base64.b64encode(
            hmac.new(KEY, told, hashlib.sha256).digest()).decode())

    def check_metrics(self):
        # The slow ones held theirs until the end; whether the others met a bound is their pace's.
        name = 'grove_origin_put_off_total{bound="concurrency"}'
        eventually('some were put off', lambda: self.daemon.metrics()[name] > 0)
        eventually('breakers opened', lambda: self.daemon.metrics_sum(
            'grove_origin_breaker_openings_total') >= self.dose[DEAD][0])
        print({name: value for name, value in self.daemon.metrics().items()
               if name.startswith('grove_origin_')})

    def test_a_tenant_has_its_own_secrets_alone(self):
        self.start_with({PACED: (0, 0)})
        task = self.api.run('http.request', {'url': self.origins.url(WELL, 1),
                                             'sign': {'secret': 'nobodys'}})
        self.assertEqual(task.state, FAILED)
        self.assertIn('this tenant has no secret', task.error.message)
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
