"""What clients asked of a daemon, what they were told, and whether what has become of it is right.

At least once: a task whose spawn was acknowledged ends, as its function says and with the end that
was told first, whoever died meanwhile; it ran as its attempts say; nothing runs that was not asked
for, or that was refused. A volatile task may be gone once the control has died that took it, and
only then. What ran more than once without having failed is right, too, and counted. What comes
after another task, or behind it in a sequence, first ran after that one had.
"""

import collections
import itertools
import threading

import grpc

from grove_api import FAILED, SUCCEEDED, duration, spec, state_name, tasks

ENDED = (tasks.TASK_STATE_SUCCEEDED, tasks.TASK_STATE_FAILED, tasks.TASK_STATE_CANCELLED,
         tasks.TASK_STATE_TIMED_OUT)
DURABLE = tasks.DURABILITY_DURABLE
VOLATILE = tasks.DURABILITY_VOLATILE
Attempt = tasks.Attempt
# Of these, control has seen the function's own end.
CONCLUDED = (Attempt.STATE_SUCCEEDED, Attempt.STATE_FAILED)
BATCH_MAX = 10_000
PAGE_SIZE = 1_000
# Of what is wrong: the first tell most.
PROBLEMS_SHOWN = 20
# The key of what a test spawns beside the clients.
ASIDE = 'aside'

# What a function is told to do (noting.cc), how often it may be tried, and how its task ends.
ENDS = {'done': (1, SUCCEEDED), 'fails 1': (2, SUCCEEDED), 'fails 2': (3, SUCCEEDED),
        'never': (2, FAILED), 'final': (3, FAILED)}
SLEEPS_MS = (0, 0, 0, 1, 20, 200)
DELAYS_S = (0, 0, 0, 0, 0.05, 0.5)
# Of so many tasks, one after the other, those of a sequence are.
SEQUENCE_SPAN = 40


class Ask:
    """A task as it was asked for, and what was answered."""

    def __init__(self, key, chance, book):
        self.key = key
        self.how = chance.choice(list(ENDS) if chance.random() < 0.3 else ['done'])
        self.durable = chance.random() < 0.7
        self.round = book.round
        attempts, self.ends = ENDS[self.how]
        request_id = f'request-{key}' if chance.random() < 0.6 else ''
        self.spec = spec(
            'note', input=f'{key} {chance.choice(SLEEPS_MS)} {self.how}'.encode(),
            content_type='text/plain', durability=DURABLE if self.durable else VOLATILE,
            delay=chance.choice(DELAYS_S), request_id=request_id,
            retry_policy=tasks.RetryPolicy(max_attempts=attempts, initial_backoff=duration(0.02)))
        if self.durable and chance.random() < 0.15:
            # Short ones: each waits for the disk twice.
            self.spec.sequence.key = f'sequence {int(key) // SEQUENCE_SPAN}'
        if book.last_durable and chance.random() < 0.15:
            self.spec.after.append(book.last_durable)
        self.sent_epoch = None  # the last time
        self.epoch = None       # in which the last name was asked for
        self.names = []         # one, but for volatile tasks of several controls
        self.unanswered = 0     # sendings of which nobody knows what came of them
        self.refused = False    # and nothing else
        self.lost = False
        self.end = None         # as it was told first, of the last name

    def repeatable(self):
        return bool(self.spec.request_id)


Run = collections.namedtuple('Run', 'attempt pid begun_ns')


class Runs:
    """What a key's function has noted."""

    def __init__(self):
        self.begun, self.ended = [], []


def read_notes(path):
    """{key: Runs}"""
    found = collections.defaultdict(Runs)
    with open(path, encoding='ascii') as file:
        for line in file:
            what, key, *run = line.split()
            runs = found[key]
            (runs.begun if what == 'begins' else runs.ended).append(Run(*map(int, run)))
    return found


def end_of(task):
    return task.state, task.output, task.error.code


class Book:
    """Written by many clients at once, and by who kills."""

    def __init__(self):
        self.round = 0
        self.epoch = 0          # grows as controls die
        self.calm_until_ns = None
        self.asks = {}          # by key
        self.last_durable = ''  # the name of one that was accepted
        self.waiting = {}       # those accepted whose end nobody has seen
        self.problems = []
        self.refusals = collections.Counter()
        self._keys = itertools.count()
        self._lock = threading.Lock()

    # What clients say

    def ask(self, chance):
        with self._lock:
            key = str(next(self._keys))
            ask = self.asks[key] = Ask(key, chance, self)
        return ask

    def sent(self, asks):
        """Just before they are."""
        for ask in asks:
            ask.sent_epoch = self.epoch

    def accepted(self, ask, name):
        with self._lock:
            if name in ask.names:
                return
            if ask.names and not self._may_be_lost(ask):
                self._wrong(ask, f'exists twice, as {ask.names} and {name}')
            ask.names.append(name)
            ask.epoch = ask.sent_epoch
            ask.end, ask.lost, ask.refused = None, False, False
            self.waiting[ask.key] = ask
            if ask.durable:
                self.last_durable = name

    def _may_be_lost(self, ask):
        return not ask.durable and ask.epoch != self.epoch

    def refused(self, ask, reason, says_when):
        with self._lock:
            self.refusals[reason] += 1
            if not says_when:
                self._wrong(ask, f'refused with {reason}, and not said when to try again')
            ask.refused = not ask.names and not ask.unanswered

    def unanswered(self, ask):
        with self._lock:
            ask.unanswered += 1
            ask.refused = False

    def told(self, ask, name, task):
        """What control says of it; whether it has ended."""
        if task.state not in ENDED:
            return False
        with self._lock:
            self._told(ask, name, task)
        return True

    def _told(self, ask, name, task):
        if name != ask.names[-1]:
            return
        end = end_of(task)
        if ask.end is not None and ask.end != end:
            self._wrong(ask, f'ended as {ask.end}, and now as {end}')
        ask.end = end
        self.waiting.pop(ask.key, None)
        if task.state != ask.ends:
            self._wrong(ask, f'ended {state_name(task.state)}: {task.error.message}')
        elif task.state == SUCCEEDED and task.output.decode().split()[0] != ask.key:
            self._wrong(ask, f'has the output of another: {task.output}')

    def not_found(self, ask, name):
        with self._lock:
            if name != ask.names[-1]:
                return
            if not self._may_be_lost(ask):
                self._wrong(ask, f'accepted as {name}, and lost')
            ask.lost = True
            self.waiting.pop(ask.key, None)

    # What who kills says

    def control_dies(self):
        """Before it is killed, and once it is dead: what was sent before may be gone."""
        with self._lock:
            self.epoch += 1

    # What has become of it

    def follow(self, api, seconds):
        """Hears of the ends of what was accepted, or that it is not there."""
        with self._lock:
            due = [(ask, ask.names[-1]) for ask in self.waiting.values()][:BATCH_MAX]
        if not due:
            return
        results = api.wait_batch([name for _, name in due], seconds)
        for (ask, name), result in zip(due, results, strict=True):
            if result.HasField('task'):
                self.told(ask, name, result.task)
                continue
            assert result.error.code == grpc.StatusCode.NOT_FOUND.value[0], result.error
            self.not_found(ask, name)

    def ended(self, until_round):
        """Whether everything has that was accepted up to a round, or is gone and may be."""
        with self._lock:
            return all(ask.round > until_round for ask in self.waiting.values())

    def unended(self, until_round):
        return [f'{ask.key} {ask.names} of round {ask.round}'
                for ask in self.waiting.values() if ask.round <= until_round][:PROBLEMS_SHOWN]

    def listed(self, api, seconds=60):
        """{key: task} of all there are, once they have ended."""
        found = list(every_task(api))
        open_ones = [task.name for task in found if task.state not in ENDED]
        if open_ones:
            for first in range(0, len(open_ones), BATCH_MAX):
                api.wait_batch(open_ones[first:first + BATCH_MAX], seconds)
            found = list(every_task(api))
        by_key = {}
        for task in found:
            key = task.spec.input.decode().split()[0]
            ask = self.asks.get(key)
            if key == ASIDE:
                continue
            if ask is None:
                self.problems.append(f'{task.name} was never asked for: {task.spec.input}')
                continue
            if key in by_key:
                self.wrong(ask, f'exists twice, as {by_key[key].name} and {task.name}')
            by_key[key] = task
            self._check_listed(ask, task)
        for ask in self.asks.values():
            if ask.durable and ask.names and ask.key not in by_key:
                self.wrong(ask, f'accepted as {ask.names}, and not listed')
        return by_key

    def _check_listed(self, ask, task):
        if ask.refused:
            self.wrong(ask, f'refused, and exists as {task.name}')
        elif not ask.names:
            # Nobody heard of it, and so it got its name here.
            ask.names.append(task.name)
        elif task.name != ask.names[-1]:
            self.wrong(ask, f'accepted as {ask.names}, and exists as {task.name}')
        if not self.told(ask, ask.names[-1], task):
            self.wrong(ask, f'still {state_name(task.state)}: {task.waiting_reason}')

    def audit(self, by_key, notes):
        """Holds the runs against the tasks; a Counter of what is to be known of both."""
        count = collections.Counter()
        for key in notes.keys() - self.asks.keys() - {ASIDE}:
            self.problems.append(f'{key} ran, and nobody asked for it')
        for key, ask in self.asks.items():
            runs, task = notes.get(key, Runs()), by_key.get(key)
            self._count(ask, count)
            if ask.refused and runs.begun:
                self.wrong(ask, f'refused, and ran: {runs.begun}')
            if ask.durable and task is None and runs.begun:
                self.wrong(ask, f'ran, and the store does not know it: {runs.begun}')
            # Runs of a volatile task before its control died may have had another name.
            if task is not None and (ask.durable or ask.unanswered == 0 and len(ask.names) == 1):
                self._hold(ask, task, runs, count)
        self._hold_order(by_key, notes, count)
        return count

    def _hold_order(self, by_key, notes, count):
        first = {key: min(run.begun_ns for run in notes[key].begun)
                 for key in by_key if key in notes and notes[key].begun}
        key_of = {task.name: key for key, task in by_key.items()}
        sequences = collections.defaultdict(list)
        for name, key in sorted(key_of.items()):
            task = by_key[key]
            if task.spec.HasField('sequence') and key in first:
                sequences[task.spec.sequence.key].append(key)
            for before in map(key_of.get, task.spec.after):
                count['after another'] += 1
                done = notes[before].ended if before in notes else []
                if key in first and not any(run.begun_ns < first[key] for run in done):
                    self.wrong(self.asks[key], f'ran before {before}, which it comes after')
        for keys in sequences.values():
            count['behind another'] += len(keys) - 1
            for before, after in zip(keys, keys[1:]):
                if first[before] > first[after]:
                    self.wrong(self.asks[after], f'ran before {before} of its sequence')

    @staticmethod
    def _count(ask, count):
        count['asked'] += 1
        count['accepted'] += bool(ask.names)
        count['volatile'] += bool(ask.names) and not ask.durable
        count['volatile and gone with their control'] += ask.lost
        count['sent again'] += ask.unanswered > 0 and ask.repeatable()
        count['refused'] += ask.refused

    def _hold(self, ask, task, runs, count):
        concluded = [each.number for each in task.attempts if each.state in CONCLUDED]
        last = task.attempts[-1].number if task.attempts else 0
        numbers = [run.attempt for run in runs.begun]
        if [each.number for each in task.attempts] != list(range(1, last + 1)):
            self.wrong(ask, f'attempts out of order: {task.attempts}')
        if not set(concluded) <= {run.attempt for run in runs.ended}:
            self.wrong(ask, f'attempts {concluded} have ended, and the function ran to its end in '
                            f'{runs.ended}')
        doubles = len(runs.begun) - len(concluded)
        if doubles and runs.begun[-1].begun_ns < (self.calm_until_ns or 0):
            self.wrong(ask, f'ran {len(runs.begun)} times while nobody died')
        count['runs'] += len(runs.begun)
        count['attempts'] += len(task.attempts)
        count['doubles'] += doubles
        count['doubles that ended'] += len(runs.ended) - len(concluded)
        # Starts that were not on disk yet when control and their workers died.
        count['doubles of one number'] += len(numbers) - len(set(numbers))

    # What is wrong

    def _wrong(self, ask, what):
        self.problems.append(
            f'task {ask.key} ({"durable" if ask.durable else "volatile"}, {ask.how}, of round '
            f'{ask.round}, unanswered {ask.unanswered} times): {what}')

    def wrong(self, ask, what):
        with self._lock:
            self._wrong(ask, what)

    def report(self):
        more = len(self.problems) - PROBLEMS_SHOWN
        shown = self.problems[:PROBLEMS_SHOWN]
        return '\n'.join(shown + [f'and {more} more'] if more > 0 else shown)


def every_task(api):
    token = ''
    while True:
        page = api.list(page_size=PAGE_SIZE, page_token=token, view=tasks.TASK_VIEW_FULL)
        yield from page.tasks
        token = page.next_page_token
        if not token:
            return
