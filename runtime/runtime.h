// All of //runtime's headers that programs start from, by one include.
//
// For programs; a library includes what it uses. Not here: dns and tls, which link more, and what
// watches (runtime/watch) or pools processes (runtime/process_pool).
#ifndef GROVE_RUNTIME_RUNTIME_H_
#define GROVE_RUNTIME_RUNTIME_H_

// IWYU pragma: begin_exports
#include "runtime/coroutine/coroutine.h"
#include "runtime/coroutine/symmetric_coroutine.h"
#include "runtime/group/dag_pool.h"
#include "runtime/group/fiber_group.h"
#include "runtime/group/fiber_map.h"
#include "runtime/group/fiber_pile.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/group/resource_pool.h"
#include "runtime/group/spawn_after.h"
#include "runtime/group/spawn_value.h"
#include "runtime/hub/fiber_local.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/datagram.h"
#include "runtime/io/dial.h"
#include "runtime/io/foreign_descriptor.h"
#include "runtime/io/listener.h"
#include "runtime/io/pipe.h"
#include "runtime/io/run_main.h"
#include "runtime/io/serve.h"
#include "runtime/io/signals.h"
#include "runtime/io/socket.h"
#include "runtime/io/standard_input.h"
#include "runtime/io/subprocess.h"
#include "runtime/offload/offload.h"
#include "runtime/repeat/looping_call.h"
#include "runtime/repeat/looping_value.h"
#include "runtime/repeat/periodic_tasks.h"
#include "runtime/repeat/retry.h"
#include "runtime/repeat/timed_group.h"
#include "runtime/switch/status_macros.h"
#include "runtime/sync/condition.h"
#include "runtime/sync/event.h"
#include "runtime/sync/mutex.h"
#include "runtime/sync/queue.h"
#include "runtime/sync/queue_order.h"
#include "runtime/sync/result_event.h"
#include "runtime/sync/select.h"
#include "runtime/sync/select_descriptor.h"
#include "runtime/sync/semaphore.h"
#include "runtime/trace/span.h"
// IWYU pragma: end_exports

#endif  // GROVE_RUNTIME_RUNTIME_H_
