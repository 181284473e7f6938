// hanging: an application that does what none should, to see what the daemon makes of it.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/application.h"
#include "server/main.h"

namespace {

using grove::http::Request;
using grove::http::Response;

// GET /: which worker answers.
absl::Status Pid(Request&, Response& response) {
  return response.Send(200, "text/plain", absl::StrCat(getpid()));
}

// GET /loop: never lets another fiber run.
absl::Status Loop(Request&, Response&) {
  for (;;) asm volatile("");
}

// Whether the file that the environment's variable names does so with this process.
bool IsNamedBy(const char* variable) {
  const char* const file = getenv(variable);
  if (file == nullptr) return false;
  std::string named;
  std::ifstream(file) >> named;
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  return named == name;
}

// Made in each worker as it boots: the boot does not come to its end while the one file exists, and
// ends with a signal while the other names it.
grove::http::Handler Boot(grove::WorkerServices&) {
  const char* const file = getenv("GROVE_TEST_HANG");
  while (file != nullptr && access(file, F_OK) == 0) pause();
  if (IsNamedBy("GROVE_TEST_DIE")) raise(SIGKILL);
  return Pid;
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("hanging");
  application.AddHandlerFactory("boot", Boot);
  application.AddRoute("GET", "/", "boot");
  application.Handle("GET", "/loop", Loop);
  return grove::Main(argc, argv, application);
}
