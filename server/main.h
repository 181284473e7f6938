// Main: a daemon around an Application: supervisor, workers and control.
#ifndef GROVE_SERVER_MAIN_H_
#define GROVE_SERVER_MAIN_H_

#include "server/application.h"

namespace grove {

// Parses the flags and the config, serves until told to stop, and returns the exit code: 0 stopped
// as asked, 1 crash, 2 bad flags or config, 3 cannot bind, 4 workers fail to boot. Call it from
// main() before any thread is started.
int Main(int argc, char** argv, Application& application);

}  // namespace grove

#endif  // GROVE_SERVER_MAIN_H_
