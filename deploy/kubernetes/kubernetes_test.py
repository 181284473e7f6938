"""The Kubernetes manifests render, and hold what their comments promise."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import repository

HERE = os.path.dirname(os.path.abspath(__file__))
# supervisor.cc's kKillGrace.
KILL_GRACE_S = 5


def render(folder):
    # A copy without symbolic links: kustomize refuses files that lead out of its folder, and
    # Bazel's runfiles are links.
    with tempfile.TemporaryDirectory() as copy:
        for part in ('base', 'overlays'):
            shutil.copytree(os.path.join(HERE, part), os.path.join(copy, part))
        done = subprocess.run(['kubectl', 'kustomize', os.path.join(copy, folder)],
                              capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f'kubectl kustomize {folder}: {done.stderr}')
    return [document for document in yaml.safe_load_all(done.stdout) if document]


class Rendered:
    """One kustomization, by kind and name."""

    folder = None

    @classmethod
    def setUpClass(cls):
        cls.documents = render(cls.folder)
        cls.stateful_set = cls.the('StatefulSet', 'grove')
        cls.pod = cls.stateful_set['spec']['template']['spec']
        cls.container, = cls.pod['containers']
        cls.config_map = cls.the_config_map()
        cls.config_text = cls.config_map['data']['groved.yaml']
        cls.config = yaml.safe_load(cls.config_text)

    @classmethod
    def the(cls, kind, name):
        found, = [d for d in cls.documents if d['kind'] == kind and d['metadata']['name'] == name]
        return found

    @classmethod
    def the_config_map(cls):
        found, = [d for d in cls.documents if d['kind'] == 'ConfigMap']
        return found

    def container_ports(self):
        return {port['name']: port['containerPort'] for port in self.container['ports']}

    def check_config(self, text):
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
            file.write(text)
            file.flush()
            command = [repository.binary('server/groved'), '--check', f'--config={file.name}']
            return subprocess.run(command, capture_output=True, text=True)

    def test_objects_are_labelled_and_in_the_namespace(self):
        for document in self.documents:
            metadata = document['metadata']
            with self.subTest(kind=document['kind'], name=metadata['name']):
                if document['kind'] != 'Namespace':
                    self.assertEqual(metadata['namespace'], 'grove')
                if document['kind'] != 'ConfigMap':  # its labels are kustomize's
                    self.assertEqual(metadata['labels']['app.kubernetes.io/name'], 'grove')
                    self.assertEqual(metadata['labels']['app.kubernetes.io/part-of'], 'grove')

    def test_pod_meets_the_restricted_profile(self):
        security = self.pod['securityContext']
        self.assertIs(security['runAsNonRoot'], True)
        self.assertEqual(security['runAsUser'], 10001)
        self.assertEqual(security['fsGroup'], 10001)
        self.assertEqual(security['seccompProfile'], {'type': 'RuntimeDefault'})
        own = self.container['securityContext']
        self.assertIs(own['allowPrivilegeEscalation'], False)
        self.assertIs(own['privileged'], False)
        self.assertIs(own['readOnlyRootFilesystem'], True)
        self.assertEqual(own['capabilities'], {'drop': ['ALL']})
        for key in ('hostNetwork', 'hostPID', 'hostIPC'):
            self.assertFalse(self.pod.get(key))
        for volume in self.pod['volumes']:
            self.assertNotIn('hostPath', volume)
        namespace = self.the('Namespace', 'grove')
        self.assertEqual(namespace['metadata']['labels']['pod-security.kubernetes.io/enforce'],
                         'restricted')

    def test_pod_holds_no_token_of_the_cluster(self):
        account = self.the('ServiceAccount', self.pod['serviceAccountName'])
        self.assertIs(account['automountServiceAccountToken'], False)
        self.assertIs(self.pod['automountServiceAccountToken'], False)

    def test_every_mount_has_its_volume_and_every_volume_its_mount(self):
        volumes = {volume['name'] for volume in self.pod['volumes']}
        volumes |= {claim['metadata']['name']
                    for claim in self.stateful_set['spec']['volumeClaimTemplates']}
        mounts = {mount['name'] for mount in self.container['volumeMounts']}
        self.assertEqual(mounts, volumes)

    def test_daemon_writes_only_below_the_roots_of_writable_volumes(self):
        paths = {mount['mountPath'] for mount in self.container['volumeMounts']
                 if not mount.get('readOnly')}
        for key in ('state_dir', 'run_dir'):
            # Below it, since the root of a volume belongs to root.
            self.assertIn(os.path.dirname(self.config[key]), paths)

    def test_config_map_is_the_mounted_one_with_a_hash_in_its_name(self):
        name = self.config_map['metadata']['name']
        self.assertRegex(name, r'^grove-config-[a-z0-9]{10}$')
        volume, = [v for v in self.pod['volumes'] if 'configMap' in v]
        self.assertEqual(volume['configMap']['name'], name)
        mount, = [m for m in self.container['volumeMounts'] if m['name'] == volume['name']]
        self.assertIn(f'--config={mount["mountPath"]}/groved.yaml', self.container['args'])

    def test_listeners_are_the_container_ports(self):
        for section, port in self.container_ports().items():
            self.assertEqual(self.config[section]['listen'], f'0.0.0.0:{port}')

    def test_probes_ask_the_admin_port(self):
        self.assertIn('admin', self.container_ports())
        for probe, path in (('startupProbe', '/readyz'), ('livenessProbe', '/livez'),
                            ('readinessProbe', '/readyz')):
            self.assertEqual(self.container[probe]['httpGet'], {'path': path, 'port': 'admin'})

    def test_grace_covers_pre_stop_and_drain(self):
        command = self.container['lifecycle']['preStop']['exec']['command']
        self.assertEqual(command[0], 'sleep')
        needed = int(command[1]) + self.config['drain_timeout_ms'] / 1000 + KILL_GRACE_S
        self.assertGreater(self.pod['terminationGracePeriodSeconds'], needed)

    def test_resources_bound_memory(self):
        self.assertIn('memory', self.container['resources']['limits'])
        self.assertEqual(set(self.container['resources']['requests']), {'cpu', 'memory'})

    def test_selectors_select_the_pods_and_ports_resolve(self):
        labels = self.stateful_set['spec']['template']['metadata']['labels']
        selectors = [self.stateful_set['spec']['selector']['matchLabels'],
                     self.the('PodDisruptionBudget', 'grove')['spec']['selector']['matchLabels'],
                     self.the('NetworkPolicy', 'grove')['spec']['podSelector']['matchLabels']]
        for service in (d for d in self.documents if d['kind'] == 'Service'):
            selectors.append(service['spec']['selector'])
            for port in service['spec']['ports']:
                self.assertIn(port['targetPort'], self.container_ports())
        for rule in self.the('NetworkPolicy', 'grove')['spec']['ingress']:
            for port in rule['ports']:
                self.assertIn(port['port'], self.container_ports())
        for selector in selectors:
            self.assertTrue(selector)
            self.assertLessEqual(selector.items(), labels.items())

    def test_stateful_set_is_governed_by_a_headless_service(self):
        service = self.the('Service', self.stateful_set['spec']['serviceName'])
        self.assertEqual(service['spec']['clusterIP'], 'None')

    def test_every_open_port_has_a_rule_in_the_network_policy(self):
        policy = self.the('NetworkPolicy', 'grove')['spec']
        self.assertEqual(sorted(policy['policyTypes']), ['Egress', 'Ingress'])
        allowed = [port['port'] for rule in policy['ingress'] for port in rule['ports']]
        self.assertEqual(sorted(allowed), sorted(self.container_ports()))
        for rule in policy['ingress']:
            self.assertTrue(rule['from'], 'a rule without `from` lets in everybody')


class BaseTest(Rendered, unittest.TestCase):
    folder = 'base'

    def test_config_is_accepted(self):
        done = self.check_config(self.config_text)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_config_is_refused_without_the_insecure_that_its_comments_explain(self):
        without = self.config_text.replace('insecure: true', 'insecure: false')
        done = self.check_config(without)
        self.assertEqual(done.returncode, 2)
        self.assertIn('http.listen', done.stderr)

    def test_control_stays_on_the_pods_loopback(self):
        self.assertTrue(self.config['control']['listen'].startswith('127.0.0.1:'))
        self.assertNotIn('control', self.container_ports())


class RemoteControlTest(Rendered, unittest.TestCase):
    folder = 'overlays/remote-control'

    def secret_volumes(self):
        return {volume['secret']['secretName']: volume
                for volume in self.pod['volumes'] if 'secret' in volume}

    def test_secrets_are_closed_to_others(self):
        volumes = self.secret_volumes()
        self.assertEqual(set(volumes), {'grove-control-tls', 'grove-control-tokens'})
        for volume in volumes.values():
            self.assertEqual(volume['secret']['defaultMode'], 0o440)

    def test_config_names_files_of_the_secrets(self):
        mounts = {mount['name']: mount['mountPath'] for mount in self.container['volumeMounts']}
        paths = {secret: mounts[volume['name']] for secret, volume in self.secret_volumes().items()}
        tls = self.config['control']['tls']
        self.assertEqual(tls['certificate_file'], paths['grove-control-tls'] + '/tls.crt')
        self.assertEqual(tls['key_file'], paths['grove-control-tls'] + '/tls.key')
        for token in self.config['control']['tokens']:
            self.assertEqual(os.path.dirname(token['secret_file']), paths['grove-control-tokens'])

    def test_config_is_accepted_with_the_secrets_files(self):
        self.assertFalse(self.config['control'].get('insecure'))
        with tempfile.TemporaryDirectory() as folder:
            text = self.config_text
            for directory in ('/etc/grove-tls', '/etc/grove-tokens'):
                os.mkdir(folder + '/' + os.path.basename(directory))
                text = text.replace(directory, folder + '/' + os.path.basename(directory))
            tls = yaml.safe_load(text)['control']['tls']
            tokens = yaml.safe_load(text)['control']['tokens']
            subprocess.run(
                ['/usr/bin/openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=grove', '-out',
                 tls['certificate_file'], '-keyout', tls['key_file']],
                check=True, capture_output=True)
            for path in tls.values():
                os.chmod(path, 0o440)
            for path in [token['secret_file'] for token in tokens]:
                with open(path, 'w') as file:
                    secret = f'{path} is a secret'.replace(' ', '-').replace('/', '.')
                    file.write(secret[-60:] + '\n')
                os.chmod(path, 0o440)
            done = self.check_config(text)
            self.assertEqual(done.returncode, 0, done.stderr)
            os.chmod(tokens[0]['secret_file'], 0o444)
            done = self.check_config(text)
            self.assertEqual(done.returncode, 2)
            self.assertIn('defaultMode: 0440', done.stderr)

    def test_differs_from_the_base_in_the_control_section_alone(self):
        base = yaml.safe_load(next(d for d in render('base') if d['kind'] == 'ConfigMap')
                              ['data']['groved.yaml'])
        self.assertNotEqual(base.pop('control'), self.config['control'])
        self.assertEqual(base, {k: v for k, v in self.config.items() if k != 'control'})


if __name__ == '__main__':
    unittest.main()
