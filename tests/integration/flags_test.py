"""How the daemon starts, or says in one line why it does not."""

import json
import os
import unittest

from grove_harness import DEADLINE_S, Daemon, OwnDaemonTest, curl, eventually, free_port


class FlagsTest(OwnDaemonTest):

    def refused(self, exit_code, **options):
        """What a daemon that does not start says."""
        daemon = self.launch(**options)
        self.assertEqual(daemon.process.wait(DEADLINE_S), exit_code, daemon.evidence())
        self.assertEqual(daemon.processes(), {})
        return daemon.log()

    def refused_in_one_line(self, **options):
        log = self.refused(2, **options)
        self.assertRegex(log, r'\Agroved: [^\n]+\n\Z')
        return log

    def test_a_bad_flag(self):
        self.assertIn('unknown flag --htp; did you mean --http?',
                      self.refused_in_one_line(flags=['--htp=127.0.0.1:0']))
        self.assertIn('--workers=many', self.refused_in_one_line(flags=['--workers=many']))
        self.assertIn('workers', self.refused_in_one_line(flags=['--workers=257']))
        self.assertIn('--log_format: \'xml\'', self.refused_in_one_line(flags=['--log_format=xml']))

    def test_a_bad_config_names_file_and_line(self):
        for config, where, what in [
                ('http: {}\nhtpp: {}\n', ':2:1: ', 'htpp'),
                ('http:\n  lisen: nowhere\n', ':2:3: ', 'listen'),
                ('workers: many\n', ':1:10: ', 'workers'),
                ('http:\n  listen: [\n', ':', ''),
        ]:
            with self.subTest(config):
                log = self.refused_in_one_line(config=config)
                self.assertIn('config.yaml' + where, log)
                self.assertIn(what, log)

    def test_a_bad_value_names_its_key(self):
        for config, what in [
                ('http:\n  idle_timeout_ms: -3\n', 'http.idle_timeout_ms'),
                ('fetch:\n  allow: [127.0.0.0/99]\n', 'fetch.allow[0]: \'127.0.0.0/99\''),
                ('tenants:\n  - name: default\n    queues:\n      - {name: a, pool: nope}\n',
                 'tenants[0].queues[0].pool'),
        ]:
            with self.subTest(config):
                self.assertIn(what, self.refused_in_one_line(config=config))

    def test_a_config_that_is_not_there(self):
        self.assertIn('/no/such.yaml', self.refused_in_one_line(flags=['--config=/no/such.yaml']))

    def test_a_route_to_an_unknown_handler(self):
        config = 'http: {routes: [{path: /x, function: helo}]}\n'
        self.assertIn('did you mean "hello"?', self.refused_in_one_line(config=config))

    def test_check_validates_and_exits(self):
        daemon = self.launch(flags=['--check'], config='workers: 3\n')
        self.assertEqual(daemon.process.wait(DEADLINE_S), 0)
        self.assertEqual(daemon.log(), 'groved: the configuration is good\n')
        self.assertFalse(os.path.exists(daemon.run_dir))
        self.assertIn('config.yaml:1:1: ',
                      self.refused_in_one_line(flags=['--check'], config='worker: 3\n'))

    def test_everything_that_is_wrong_is_said_at_once(self):
        config = ('workers: many\n'
                  'http:\n'
                  '  listeners: [{address: nowhere}]\n'
                  '  routes:\n'
                  '  - {path: /x, function: helo}\n'
                  '  - {path: y, function: hello, middleware: [{cors: {}}]}\n'
                  'control: {tls: {certificate_file: /dev/null, key_file: /no/key}}\n'
                  'tenants:\n'
                  '- {name: acme, queues: [{name: q, pool: none}]}\n')
        for flags in [[], ['--check']]:
            log = self.refused(2, flags=flags, config=config)
            lines = log.splitlines()
            for line, place, what in zip(lines, [1, 3, 5, 6, 6, 7, 7, 9], [
                    'workers', 'http.listeners[0].address', 'http.routes[0].function',
                    'http.routes[1].path',
                    'http.routes[1].middleware[0].cors', 'control.tls.certificate_file',
                    'control.tls.key_file', 'tenants[0].queues[0].pool']):
                self.assertRegex(line, rf'^groved: \S+config.yaml:{place}:\d+: ')
                self.assertIn(what, line)
            self.assertEqual(lines[8:], ['groved: 8 errors'], log)

    def test_check_warns_of_what_is_hardly_meant(self):
        config = 'tenants: [{name: acme, pools: [{name: idle}]}]\n'
        daemon = self.launch(flags=['--check'], config=config)
        self.assertEqual(daemon.process.wait(DEADLINE_S), 0)
        self.assertRegex(daemon.log(), r'groved: warning: \S+:1:\d+: tenants\[0\]\.pools\[0\]: no '
                                       'queue of tenant \'acme\' feeds pool \'idle\'\n')
        self.assertIn('the configuration is good\n', daemon.log())

    def test_help_and_version(self):
        daemon = self.launch(flags=['--help'])
        self.assertEqual(daemon.process.wait(DEADLINE_S), 0)
        for flag in ('http', 'control', 'admin', 'workers', 'state_dir', 'run_dir', 'config',
                     'control_binary', 'insecure', 'log_format', 'drain_timeout_ms', 'check'):
            self.assertIn(f'--{flag}', daemon.log())
        daemon = self.launch(flags=['--version'])
        self.assertEqual(daemon.process.wait(DEADLINE_S), 0)
        self.assertRegex(daemon.log(), r'^groved \(grove \d+\.\d+\.\d+\)\n$')

    def test_a_control_binary_that_is_not_there(self):
        log = self.refused(2, flags=['--control_binary=/no/grove-control'])
        self.assertIn('/no/grove-control', log)

    def test_a_control_that_cannot_start_ends_the_daemon(self):
        daemon = Daemon()
        self.daemon = daemon
        self.addCleanup(daemon.kill)
        os.makedirs(daemon.state_dir, 0o700)
        with open(os.path.join(daemon.state_dir, 'tasks.db'), 'w') as store:
            store.write('this is no database ' * 500)
        daemon.launch()
        self.assertEqual(daemon.process.wait(DEADLINE_S), 4, daemon.evidence())
        self.assertIn('tasks.db', daemon.log())
        self.assertIn('giving up', daemon.log())
        self.assertEqual(daemon.processes(), {})

    def test_a_flag_beats_the_file_and_the_file_the_default(self):
        daemon = self.start(config='workers: 1\nadmin: {listen: "127.0.0.1:1"}\n'
                                   'http: {routes: [{method: GET, path: /x, function: hello}]}\n',
                            workers=3)
        self.assertEqual(len(daemon.api().list_workers()), 3)
        self.assertEqual(daemon.get('/x'), (200, 'Hello, World!\n'))
        self.assertEqual(daemon.get('/')[0], 404)
        daemon.stop()

    def test_logs_in_json(self):
        daemon = self.launch(flags=['--log_format=json'])
        eventually('it serves', lambda: '"message":"serving"' in daemon.log())
        daemon.stop()
        for line in daemon.log().splitlines():
            self.assertLessEqual({'time', 'level', 'process', 'message'}, set(json.loads(line)))


class TakenTest(OwnDaemonTest):
    """A second daemon where one runs."""

    def second_one(self, exit_code, flags):
        first = self.start()
        pids = first.processes()
        flags = [flag.format(first=first) for flag in flags]
        second = self.launch(flags=flags)
        self.assertEqual(second.process.wait(DEADLINE_S), exit_code, second.evidence())
        self.assertEqual(second.processes(), {})
        # The first does not notice.
        self.assertEqual(first.processes(), pids)
        self.assertEqual(first.get('/'), (200, 'Hello, World!\n'))
        self.assertEqual(first.api().health(), 1)
        first.stop()
        return second.log()

    def test_on_the_same_http_port(self):
        log = self.second_one(3, ['--http={first.http_address}'])
        self.assertRegex(log, r'(?i)127\.0\.0\.1:\d+.*in use')

    def test_on_the_same_control_port(self):
        log = self.second_one(3, ['--control={first.serving[control]}'])
        self.assertRegex(log, r'(?i)control\.listen.*in use')

    def test_on_the_same_admin_port(self):
        log = self.second_one(3, ['--admin={first.serving[admin]}'])
        self.assertRegex(log, r'(?i)admin\.listen.*in use')

    def test_in_the_same_folders(self):
        for name in ('run_dir', 'state_dir'):
            with self.subTest(name):
                log = self.second_one(2, [f'--{name}={{first.{name}}}'])
                self.assertIn('another daemon runs in', log)


class FixedPortTest(OwnDaemonTest):

    def test_the_ports_asked_for_are_served(self):
        ports = {name: free_port() for name in ('http', 'control', 'admin')}
        daemon = self.start(flags=[f'--{name}=127.0.0.1:{port}' for name, port in ports.items()])
        self.assertEqual(daemon.serving,
                         {name: f'127.0.0.1:{port}' for name, port in ports.items()})
        self.assertEqual(curl(f'http://127.0.0.1:{ports["http"]}/'), b'Hello, World!\n')
        self.assertEqual(daemon.api().health(), 1)
        self.assertEqual(daemon.admin('/livez'), (200, 'ok\n'))
        daemon.stop()

    def test_ipv6_loopback(self):
        daemon = self.start(flags=['--http=[::1]:0'])
        self.assertRegex(daemon.http_address, r'^\[::1\]:\d+$')
        self.assertEqual(curl('-g', daemon.url('/')), b'Hello, World!\n')
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
