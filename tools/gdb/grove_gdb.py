"""Fibers for gdb: lists and unwinds all fibers of a live process or a core.

    (gdb) source tools/gdb/grove_gdb.py
    (gdb) grove fibers            id, name, state, what it waits for, spawn site
    (gdb) grove fiber 17 bt       the stack of one
    (gdb) grove all bt            the stacks of all
    (gdb) grove core FILE         a core of a live process, fibers included

gdb's own generate-core-file gives up on a mapping at the first page it cannot read, such as the
guard below a stack, and leaves the fibers out; cores that the kernel writes have them.

Needs the program's symbol table (not stripped with -s) and .eh_frame, but neither types nor line
tables: the symbol grove_gdb_table says where everything lies. Writes no register and no memory, so
a core serves as well as a process. Several hubs: an id may be given as HUB:ID, as the list shows.
"""

import struct

import gdb
import gdb.unwinder

MAGIC = 0x6764625F67766F72
VERSION = 3
MEMBERS = (
    'magic', 'version', 'first', 'registration_hub', 'registration_next', 'hub_fibers',
    'hub_running', 'fiber_id', 'fiber_name', 'fiber_site', 'fiber_state', 'fiber_waiting_kind',
    'fiber_waiting_fd', 'fiber_waiting_object', 'fiber_stack_pointer', 'fiber_stack_low',
    'fiber_stack_high', 'string_view_data', 'saved_registers', 'fiber_switches', 'context_start',
    'fiber_group', 'fiber_spawned_at', 'fiber_label', 'label_known', 'label_tenant', 'label_task')
# Fiber::State and WaitFor::Kind, in order.
STATES = ('runnable', 'running', 'parked', 'ended')
# WaitFor::Kind (runtime/hub/wait_for.h).
WAITS = ('nothing', 'read', 'write', 'accept', 'connect', 'signal', 'process', 'timer', 'event',
         'semaphore', 'mutex', 'condition', 'queue', 'queue put', 'queue get', 'select', 'join',
         'pool', 'group', 'server', 'offload')
# What a switch may leave at the stack pointer of a fiber that does not run, by DWARF numbers.
REGISTERS = {3: 'rbx', 6: 'rbp', 12: 'r12', 13: 'r13', 14: 'r14', 15: 'r15', 16: 'rip'}
# Context::kEndOfSaved.
END_OF_SAVED = -2
SAVED_MAX = 64
# A core may be damaged: no list or text is believed to be longer.
HUBS_MAX = 1024
FIBERS_MAX = 100_000_000
TEXT_MAX = 4096
FRAMES_MAX = 256
PAGE = 4096


def read_bytes(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def read_word(address, size=8):
    return int.from_bytes(read_bytes(address, size), 'little')


def read_c_string(address):
    text = b''
    while len(text) < TEXT_MAX:
        try:
            byte = read_bytes(address + len(text), 1)
        except gdb.MemoryError:
            break
        if byte == b'\0':
            break
        text += byte
    return text.decode(errors='replace')


class Table:
    """grove_gdb_table of the program."""

    def __init__(self):
        try:
            address = int(gdb.parse_and_eval('(unsigned long)&grove_gdb_table'))
        except gdb.error as error:
            raise gdb.GdbError('grove: no symbol grove_gdb_table: is this a Grove program, with '
                               'its symbol table? (%s)' % error)
        try:
            for place, member in enumerate(MEMBERS):
                setattr(self, member, read_word(address + 8 * place))
        except gdb.MemoryError:
            raise gdb.GdbError('grove: cannot read grove_gdb_table: start the program or load a '
                               'core first')
        if self.magic != MAGIC or self.version != VERSION:
            raise gdb.GdbError('grove: grove_gdb_table has version %d; this script reads version '
                               '%d: take the script of the same release' % (self.version, VERSION))

    def saved(self):
        """The names of the words at a suspended fiber's stack pointer; None: not a register's."""
        numbers = struct.unpack('%db' % SAVED_MAX, read_bytes(self.saved_registers, SAVED_MAX))
        return [REGISTERS.get(number) for number in numbers[:numbers.index(END_OF_SAVED)]]

    def hubs(self):
        registration = self.first
        for _ in range(HUBS_MAX):
            if registration == 0:
                return
            yield read_word(registration + self.registration_hub)
            registration = read_word(registration + self.registration_next)

    def fibers(self):
        for number, hub in enumerate(self.hubs()):
            begin = read_word(hub + self.hub_fibers)
            end = read_word(hub + self.hub_fibers + 8)
            count = min((end - begin) // 8, FIBERS_MAX) if end > begin else 0
            slots = read_bytes(begin, 8 * count) if count else b''
            for place in range(count):
                address = int.from_bytes(slots[8 * place:8 * place + 8], 'little')
                if address != 0:
                    yield Fiber(self, number, address)


class Fiber:
    def __init__(self, table, hub, address):
        self.table = table
        self.hub = hub
        self.address = address
        self.id = self.word('fiber_id')

    def word(self, member, size=8):
        return read_word(self.address + getattr(self.table, member), size)

    def name(self):
        at = self.address + self.table.fiber_name
        size = read_word(at + 8 - self.table.string_view_data)
        data = read_word(at + self.table.string_view_data)
        try:
            return read_bytes(data, min(size, TEXT_MAX)).decode(errors='replace')
        except gdb.MemoryError:
            return '(not in the core)'

    def state(self):
        state = self.word('fiber_state', 1)
        return STATES[state] if state < len(STATES) else 'state %d' % state

    def waits_for(self):
        if self.state() != 'parked':
            return ''
        kind = self.word('fiber_waiting_kind', 1)
        text = WAITS[kind] if kind < len(WAITS) else 'kind %d' % kind
        if text in ('read', 'write', 'accept', 'connect', 'signal', 'process'):
            return '%s fd %d' % (text, self.word('fiber_waiting_fd', 4))
        target = self.word('fiber_waiting_object')
        if text == 'join':
            return 'join of fiber %d' % read_word(target + self.table.fiber_id)
        return '%s 0x%x' % (text, target) if target else text

    def spawn_site(self):
        at = self.address + self.table.fiber_site
        return '%s:%d' % (read_c_string(read_word(at)), read_word(at + 8, 4))

    def title(self):
        return 'fiber %d:%d "%s" %s %s, spawned at %s' % (
            self.hub, self.id, self.name(), self.state(), self.waits_for(), self.spawn_site())

    def registers(self):
        """Of the frame it was left in; None if its stack cannot be read."""
        at = self.word('fiber_stack_pointer')
        low, high = self.word('fiber_stack_low'), self.word('fiber_stack_high')
        saved = self.table.saved()
        if 'rip' not in saved or not low <= at <= high - 8 * len(saved):
            return None
        registers = {name: read_word(at + 8 * place) for place, name in enumerate(saved) if name}
        registers['rsp'] = at + 8 * len(saved)
        if self.word('fiber_switches') == 0:
            # It has not run yet. gdb looks up the instruction before a caller's program counter,
            # as that is a return address; this one is its function's first instruction.
            registers.update(rip=self.table.context_start + 1, rbp=0)
        return registers

    def pages(self):
        """The addresses of the pages of its stack that are in use."""
        low, high = self.word('fiber_stack_low'), self.word('fiber_stack_high')
        at = low if self.state() == 'running' else self.word('fiber_stack_pointer')
        return range(max(at, low) & -PAGE, high, PAGE)


class CoreFile:
    """An ELF core whose memory is completed in place."""

    LOAD = 1

    def __init__(self, file):
        self.file = file
        header = file.read(64)
        if header[:5] != b'\x7fELF\x02':
            raise gdb.GdbError('grove: gdb wrote no 64-bit ELF core')
        offset, = struct.unpack_from('<Q', header, 32)
        size, count = struct.unpack_from('<HH', header, 54)
        self.segments = []
        for number in range(count):
            file.seek(offset + number * size)
            kind, _, start, address, _, bytes_, _, _ = struct.unpack('<IIQQQQQQ', file.read(56))
            if kind == self.LOAD:
                self.segments.append((address, address + bytes_, start))

    def write(self, address, content):
        for begin, end, start in self.segments:
            if begin <= address and address + len(content) <= end:
                self.file.seek(start + address - begin)
                self.file.write(content)
                return


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class FiberUnwinder(gdb.unwinder.Unwinder):
    """Says, while a fiber is chosen, that the innermost frame was called from the fiber's."""

    def __init__(self):
        super().__init__('grove-fibers')
        self.chosen = None
        self.enabled = False

    def __call__(self, pending_frame):
        if self.chosen is None:
            return None
        sp = int(pending_frame.read_register('rsp'))
        pc = int(pending_frame.read_register('rip'))
        if (sp, pc) != self.innermost:
            return None
        info = pending_frame.create_unwind_info(
            FrameId(pending_frame.read_register('rsp'), pending_frame.read_register('rip')))
        for name, value in self.chosen.items():
            info.add_saved_register(
                name, gdb.Value(value).cast(pending_frame.read_register(name).type))
        return info

    def frames(self, registers):
        """The frames of a stack that begins with `registers`, innermost first, as text."""
        newest = gdb.newest_frame()
        self.innermost = (int(newest.read_register('rsp')), int(newest.read_register('rip')))
        self.chosen = registers
        self.enabled = True
        gdb.invalidate_cached_frames()
        try:
            frame = gdb.newest_frame().older()
            for _ in range(FRAMES_MAX):
                if frame is None or frame.pc() == 0:
                    return
                yield describe(frame)
                frame = frame.older()
        finally:
            self.chosen = None
            self.enabled = False
            gdb.invalidate_cached_frames()


def describe(frame):
    pc = frame.pc()
    name = frame.name()
    if name is None:
        symbol = gdb.execute('info symbol 0x%x' % pc, to_string=True).strip()
        name = '??' if symbol.startswith('No symbol') else symbol
    line = frame.find_sal()
    place = ' at %s:%d' % (line.symtab.filename, line.line) if line.symtab else ''
    return '0x%016x in %s%s' % (pc, name, place)


UNWINDER = FiberUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def print_stack(fiber):
    print(fiber.title())
    registers = None
    if fiber.state() == 'running':
        print('  runs on a thread: see "thread apply all bt"')
        return
    try:
        registers = fiber.registers()
    except gdb.MemoryError:
        pass
    if registers is None:
        print('  its stack cannot be read')
        return
    for number, line in enumerate(UNWINDER.frames(registers)):
        print('  #%-3d %s' % (number, line))


def need_process():
    if gdb.selected_thread() is None:
        raise gdb.GdbError('grove: no thread: start the program, attach to it or load a core first')


class Grove(gdb.Command):
    """Fibers of a Grove program: grove fibers | grove fiber ID bt | grove all bt"""

    def __init__(self):
        super().__init__('grove', gdb.COMMAND_STACK, prefix=True)


class GroveFibers(gdb.Command):
    """Lists all fibers: HUB:ID, name, state, what it waits for, spawn site."""

    def __init__(self):
        super().__init__('grove fibers', gdb.COMMAND_STACK)

    def invoke(self, _argument, _from_tty):
        need_process()
        row = '%-10s %-24s %-9s %-26s %s'
        print(row % ('FIBER', 'NAME', 'STATE', 'WAITS FOR', 'SPAWNED AT'))
        count = 0
        for fiber in Table().fibers():
            print(row % ('%d:%d' % (fiber.hub, fiber.id), fiber.name(), fiber.state(),
                         fiber.waits_for(), fiber.spawn_site()))
            count += 1
        print('%d fibers' % count)


class GroveFiber(gdb.Command):
    """The stack of one fiber: grove fiber [HUB:]ID bt"""

    def __init__(self):
        super().__init__('grove fiber', gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        need_process()
        words = argument.split()
        hub, _, number = words[0].rpartition(':') if words else ('', '', '')
        if len(words) != 2 or words[1] != 'bt' or not number.isdigit() or not (
                hub == '' or hub.isdigit()):
            raise gdb.GdbError('usage: grove fiber [HUB:]ID bt, as in: grove fiber 17 bt')
        found = False
        for fiber in Table().fibers():
            if fiber.id == int(number) and hub in ('', str(fiber.hub)):
                print_stack(fiber)
                found = True
        if not found:
            raise gdb.GdbError('grove: no live fiber %s: "grove fibers" lists them' % words[0])


class GroveAll(gdb.Command):
    """The stacks of all fibers: grove all bt"""

    def __init__(self):
        super().__init__('grove all', gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        need_process()
        if argument.strip() != 'bt':
            raise gdb.GdbError('usage: grove all bt')
        for fiber in Table().fibers():
            print_stack(fiber)


class GroveCore(gdb.Command):
    """Writes a core of a live process, fibers included: grove core FILE"""

    def __init__(self):
        super().__init__('grove core', gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, _from_tty):
        need_process()
        if argument.strip() == '':
            raise gdb.GdbError('usage: grove core FILE')
        pages = {page for fiber in Table().fibers() for page in fiber.pages()}
        gdb.execute('generate-core-file %s' % argument)
        with open(argument.strip(), 'r+b') as file:
            core = CoreFile(file)
            for page in pages:
                try:
                    core.write(page, read_bytes(page, PAGE))
                except gdb.MemoryError:
                    pass  # never touched, or a guard


Grove()
GroveCore()
GroveFibers()
GroveFiber()
GroveAll()
