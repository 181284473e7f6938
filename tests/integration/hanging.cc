// hanging: an application that does what none should, to see what the daemon makes of it.
#include <unistd.h>

#include <cstdlib>

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

// Made in each worker as it boots; while the file of the name exists, it does not come to its end.
grove::http::Handler HangBoot(grove::WorkerServices&) {
  const char* const file = getenv("GROVE_TEST_HANG");
  while (file != nullptr && access(file, F_OK) == 0) pause();
  return Pid;
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("hanging");
  application.AddHandlerFactory("boot", HangBoot);
  application.AddRoute("GET", "/", "boot");
  application.Handle("GET", "/loop", Loop);
  return grove::Main(argc, argv, application);
}
