// grove-control: gRPC, the task store and the admin port. The supervisor starts it.
#include "server/control/control_main.h"

// Read by jemalloc at its start. Large payloads come and go: each has a mapping of its own, which
// goes back to the system with it; what small ones leave follows within a second. Addresses that
// are free are given back too, since RLIMIT_DATA counts them.
extern "C" const char* malloc_conf;
const char* malloc_conf =
    "narenas:2,retain:false,oversize_threshold:524288,dirty_decay_ms:1000,muzzy_decay_ms:0";

int main(int argc, char** argv) {
  return grove::control::ControlMain(argc, argv);
}
