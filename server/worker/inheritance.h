// WorkerInheritance: what a worker process gets from the supervisor.
#ifndef GROVE_SERVER_WORKER_INHERITANCE_H_
#define GROVE_SERVER_WORKER_INHERITANCE_H_

namespace grove {

// Descriptors are bound, close-on-exec and the worker's to close.
struct WorkerInheritance {
  int slot = 0;
  int http_fd = -1;      // listening; shared with the other workers
  int link_fd = -1;      // listening; worker-N.link
  int backdoor_fd = -1;  // listening; worker-N.backdoor
  int lifeline_fd = -1;  // reaches its end when the supervisor is gone
  int ready_fd = -1;     // takes one line once the worker serves
};

}  // namespace grove

#endif  // GROVE_SERVER_WORKER_INHERITANCE_H_
