// WorkerInheritance: what a worker process gets from the supervisor.
#ifndef GROVE_SERVER_PROCESS_INHERITANCE_H_
#define GROVE_SERVER_PROCESS_INHERITANCE_H_

#include <string>
#include <vector>

namespace grove::shared {
class TableMemory;
}

namespace grove::process {

// Listening, of the config's http.listeners[listener].
struct HttpSocket {
  int fd;
  int listener;

  friend bool operator==(const HttpSocket&, const HttpSocket&) = default;
};

// Descriptors are bound, close-on-exec and the worker's to close.
struct WorkerInheritance {
  int slot = 0;
  // A stand-in serves HTTP alone while workers are replaced: it has no link and no backdoor. Its
  // slot is the one behind all that workers can have.
  bool stand_in = false;
  // Shared with the other workers, or with reuse_port this slot's own; a stand-in has everybody's.
  std::vector<HttpSocket> http;
  int link_fd = -1;      // listening; worker-N.link
  int backdoor_fd = -1;  // listening; worker-N.backdoor
  int lifeline_fd = -1;  // reaches its end when the supervisor is gone
  int ready_fd = -1;     // takes one line once the worker serves
  int command_fd = -1;   // its end of the command channel (command_channel.h)
  // Of all workers, mapped before the fork; null: there is none.
  shared::TableMemory* table = nullptr;
  // Of all workers, in memory alone, so that each resumes the others' TLS sessions; see
  // TlsServerOptions. Empty: no listener has TLS.
  std::string ticket_keys;
};

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_INHERITANCE_H_
