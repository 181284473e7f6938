"""Watches of two tenants: none is told what is the other's, and tokens are of no use to others."""

import unittest

from grove_api import tasks
from isolation_test import AMBER, TwoTenants


class IsolationOfWatchesTest(TwoTenants):

    def test_resume_tokens_of_others_are_refused_as_damaged_ones(self):
        asked = {'/grove.v1.TaskService/WatchTasks': {},
                 '/grove.v1.QueueService/WatchQueue': {'name': 'tenants/-/queues/-'}}
        for row in self.of_tenants():
            if 'resume_token' in self.methods[row.method].input_type.fields_by_name:
                self.assertIn(row.method, asked)
        for method, fields in asked.items():
            with self.subTest(method):
                request = self.borage.request(method, **fields)
                token = self.borage.call(method, request).response.resume_token
                if not token:
                    request.with_existing = False
                    token = self.borage.call(method, request).response.resume_token
                request.resume_token = token
                self.assertEqual(self.borage.call(method, request).code, 'OK')
                outcome = self.amber.call(method, request)
                self.assertEqual(outcome.code, 'INVALID_ARGUMENT')
                request.resume_token = token[:-1] + '~'
                self.assertEqual(outcome.about(token),
                                 self.amber.call(method, request).about(request.resume_token))

    def test_all_queues_are_the_callers_own(self):
        method = '/grove.v1.QueueService/WatchQueue'
        response = self.amber.call(
            method, self.amber.request(method, name='tenants/-/queues/-')).response
        self.assertEqual({each.name.split('/')[1] for each in response.queues}, {AMBER})

    def test_what_happens_to_others_is_not_told(self):
        """A change of Borage's comes first: what Amber is told is Amber's own."""
        method = '/grove.v1.TaskService/WatchTasks'
        spawn = '/grove.v1.TaskService/SpawnTask'
        for parent in ('', 'tenants/-', 'tenants/amber'):
            token = self.amber.call(method, self.amber.request(
                method, parent=parent, with_existing=False)).response.resume_token
            for client, label in ((self.borage, 'feldspar'), (self.amber, 'own')):
                made = client.call(spawn, client.request(spawn, spec=tasks.TaskSpec(
                    function='echo', labels={'what': label})))
                self.assertEqual(made.code, 'OK')
            told = self.amber.call(method, self.amber.request(
                method, parent=parent, resume_token=token))
            self.assertEqual(told.code, 'OK')
            self.assert_clean(told.text, parent)


if __name__ == '__main__':
    unittest.main()
