"""An application with hooks, settings, metrics and middleware of its own, in a real daemon."""

import os
import re
import signal
import subprocess
import unittest

from grove_harness import OperationsTest, curl, eventually

SHOP = 'server/examples/shop'
CONFIG = '''
application:
  currency: {currency}
  payment: {{key: {key}}}
http:
  middleware:
    - own: {{name: stamp, options: {{field: {field}, value: north}}}}
  routes:
    - {{method: POST, path: "/orders/{{kind}}", function: order}}
    - {{path: /journal, function: journal}}
'''


def config(currency='EUR', key='hidden-key', field='X-Shop'):
    return CONFIG.format(currency=currency, key=key, field=field)


class ApplicationTest(OperationsTest):

    def start_shop(self, workers=2, **settings):
        return self.start(binary=SHOP, workers=workers, config=config(**settings))

    def reload(self, text):
        with open(os.path.join(self.daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
            file.write(text)
        self.tell(signal.SIGHUP)

    def order(self, kind, pieces):
        return curl('--data-binary', str(pieces), self.daemon.url(f'/orders/{kind}')).decode()

    def check(self, text):
        """What --check says of a config, and its exit code."""
        daemon = self.launch(binary=SHOP, config=text, flags=['--check'])
        return daemon.process.wait(), daemon.log()

    # Hooks

    def test_hooks_open_and_close_what_each_worker_has(self):
        daemon = self.start_shop()
        for worker in range(2):
            self.assertIn(f'"journal opened" worker={worker}', daemon.log())
        self.assertLess(daemon.log().index('journal opened'), daemon.log().index(' "serving" '))
        self.assertEqual(self.order('book', 3), '3 book, in EUR\n')
        daemon.stop()
        closed = re.findall(r'"journal closed" worker=(\d) lines=(\d)', daemon.log())
        self.assertEqual(sorted(worker for worker, _ in closed), ['0', '1'])
        self.assertEqual(sum(int(lines) for _, lines in closed), 1)

    def test_a_start_hook_that_fails_is_a_boot_that_fails(self):
        daemon = self.launch(binary=SHOP, config=config(key='wrong'))
        self.assertEqual(daemon.process.wait(), 4)
        self.assertIn('start hook \\"journal\\": the payment service does not know the key',
                      daemon.log())
        self.assertNotIn('shop "serving"', daemon.log())

    def test_a_function_has_the_state_of_its_worker(self):
        daemon = self.start_shop(workers=1)
        done = daemon.grovectl('spawn', 'shop.pay', '12', '--wait')
        self.assertEqual((done.returncode, done.stdout), (0, 'account 10 of worker 0 pays 12'),
                         done.stderr)
        daemon.stop()

    # Settings

    def test_what_is_wrong_is_told_with_its_line(self):
        code, log = self.check('application:\n  curency: EUR\n  order_max: 0\n')
        self.assertEqual(code, 2)
        self.assertIn("config.yaml:2:3: unknown key 'application.curency'; "
                      "did you mean 'currency'?", log)
        self.assertRegex(log, r"config.yaml:3:\d+: application.order_max: "
                              r"expected an integer from 1 to 1000, found '0'")
        self.assertIn('application.payment.key: is required: of the payment service', log)
        code, log = self.check(config(currency='CHF') + '  # more\n')
        self.assertEqual((code, 'is good' in log), (0, True), log)
        code, log = self.check('application: {currency: CHF, order_max: 101, payment: {key: k}}')
        self.assertEqual(code, 2)
        self.assertIn('order_max is at most 100 in CHF', log)

    def test_help_lists_them(self):
        daemon = self.launch(binary=SHOP, flags=['--help'])
        self.assertEqual(daemon.process.wait(), 0)
        self.assertIn('  order_max  (an integer from 1 to 1000)\n      pieces in one order\n'
                      '      default: 10\n', daemon.log())
        self.assertIn('  payment.key  (a text, secret)\n', daemon.log())
        self.assertIn('Middleware `- own: {name: stamp}`', daemon.log())

    def test_secrets_are_shown_nowhere(self):
        daemon = self.start_shop()
        shown = daemon.grovectl('config').stdout
        self.assertIn('payment.key: "***"', shown)
        self.assertIn('currency: EUR', shown)
        other = os.path.join(daemon.folder, 'other.yaml')
        with open(other, 'w', encoding='utf-8') as file:
            file.write(config(key='other-key'))
        diff = daemon.grovectl('config', other, '--diff').stdout
        self.assertIn('application.payment.key', diff)
        for secret in ('hidden-key', 'other-key'):
            for text in (shown, diff, daemon.log()):
                self.assertNotIn(secret, text)
        daemon.stop()

    def test_a_reload_changes_them_in_place(self):
        daemon = self.start_shop()
        before = daemon.processes()
        self.reload(config(currency='CHF'))
        self.assertIn('took it over in place', self.ended('reload'))
        self.assertEqual(daemon.processes(), before)
        self.assertEqual(self.order('book', 3), '3 book, in CHF\n')
        daemon.stop()

    def test_a_hook_refuses_a_reload_with_a_reason(self):
        daemon = self.start_shop()
        self.assertEqual(self.order('book', 3), '3 book, in EUR\n')
        before = daemon.processes()
        self.reload(config(currency='CHF'))
        self.assertIn('there are orders in the old currency', self.ended('reload', 'failed'))
        eventually('all are asked to go back', lambda: 'back to the config' in daemon.log())
        self.assertEqual(daemon.processes(), before)
        self.assertIn('currency: EUR', daemon.grovectl('config').stdout)
        # The worker that had nothing against it has it no more, either.
        eventually('every worker is back', lambda: all(
            self.order('pen', 1).endswith('EUR\n') for _ in range(10)))
        daemon.stop()

    # Middleware

    def test_its_middleware_stands_in_the_configs_chain(self):
        daemon = self.start_shop()
        self.assertIn('X-Shop: north', curl('-i', daemon.url('/journal')).decode())
        self.reload(config(field='X-Other'))
        self.ended('reload')
        self.assertIn('X-Other: north', curl('-i', daemon.url('/journal')).decode())
        # What only its code knows.
        self.reload(config(field='"two words"'))
        self.assertIn("'two words' is no field's name", self.ended('reload', 'failed'))
        self.assertIn('X-Other: north', curl('-i', daemon.url('/journal')).decode())
        code, log = self.check(config().replace('name: stamp', 'name: stmp'))
        self.assertEqual(code, 2)
        self.assertIn('no middleware "stmp"; did you mean "stamp"?', log)
        code, log = self.check(config().replace('value: north', 'valeu: north'))
        self.assertEqual(code, 2)
        self.assertIn("did you mean 'value'?", log)

    # The backdoor

    def test_the_backdoor_asks_the_application(self):
        daemon = self.start_shop(workers=1)
        self.order('book', 3)
        self.order('pen', 1)
        done = daemon.grovectl('backdoor', '--worker', '0', '-c',
                               "print(app()[1].name); print(app('journal', 'book'))")
        self.assertEqual((done.returncode, done.stdout), (0, 'journal\n3 book\n\n'), done.stderr)
        done = daemon.grovectl('backdoor', '--worker', '0', '-c', "app('journal', 'ink')")
        self.assertIn('there are none', done.stdout + done.stderr)
        done = daemon.grovectl('backdoor', '--worker', '0', '-c', "app('jurnal')")
        self.assertIn('did you mean "journal"?', done.stdout + done.stderr)
        daemon.stop()

    # Metrics

    def shown(self, name):
        return self.daemon.metrics().get(name, 0)

    def test_metrics_are_the_sum_of_all_workers_and_never_fall(self):
        daemon = self.start_shop()
        for _ in range(20):
            self.order('book', 3)
        book = 'shop_orders_total{kind="book"}'
        self.assertEqual(self.shown(book), 20)
        self.assertEqual(self.shown('shop_order_pieces_count'), 20)
        self.assertEqual(self.shown('shop_order_pieces_sum'), 60)
        self.assertEqual(self.shown('shop_order_pieces_bucket{le="1"}'), 0)
        self.assertEqual(self.shown('shop_journal_lines'), 20)
        for worker in ('grove-w0', 'grove-w1'):
            pid = daemon.pid_of(worker)
            os.kill(pid, signal.SIGKILL)
            eventually('there is a new worker',
                       lambda old=pid, name=worker: daemon.pid_of(name) not in (None, old))
        eventually('both have opened their journals',
                   lambda: daemon.log().count('journal opened') == 4)
        eventually('the levels of the dead are gone',
                   lambda: self.shown('shop_journal_lines') == 0)
        self.assertEqual(self.shown(book), 20)
        self.order('book', 3)
        self.assertEqual(self.shown(book), 21)
        self.assertEqual(self.shown('shop_order_pieces_sum'), 63)
        daemon.stop()

    def test_too_many_label_values_count_together(self):
        daemon = self.start_shop()
        for kind in 'abcdefgh':
            self.order(kind, 1)
        shown = {name: value for name, value in daemon.metrics().items()
                 if name.startswith('shop_orders_total')}
        self.assertEqual(len(shown), 4)
        self.assertEqual(shown['shop_orders_total{kind="_other"}'], 5)
        self.assertEqual(sum(shown.values()), 8)
        self.assertIn('a metric has too many label values', daemon.log())
        self.assertGreater(self.shown('grove_metrics_series_dropped_total{of="application"}'), 0)
        daemon.stop()

    def test_promtool_accepts_them(self):
        daemon = self.start_shop()
        self.order('book', 3)
        text = curl(daemon.admin_url('/metrics'))
        self.assertIn(b'shop_orders_total', text)
        done = subprocess.run(['/usr/bin/promtool', 'check', 'metrics'], input=text,
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b'', b''))
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
