// A child of a ProcessPool for its tests: it does everything that a child must not.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "runtime/process_pool/process_functions.h"

namespace grove {
namespace {

using Reply = absl::StatusOr<std::string>;

std::string OpenDescriptors() {
  std::string open;
  for (int fd = 0; fd < 64; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) open += std::to_string(fd) + " ";
  }
  return open;
}

// Keeps so many megabytes, touched.
Reply Leak(std::string_view megabytes) {
  const size_t bytes = static_cast<size_t>(atoi(std::string(megabytes).c_str())) << 20;
  char* const kept = static_cast<char*>(malloc(bytes));
  if (kept == nullptr) return absl::ResourceExhaustedError("no memory");
  // Through a volatile pointer: what nobody reads the compiler would leave out.
  for (size_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(kept)[i] = 1;
  return "leaked";
}

// Waits until the file is there, and takes it away: what a test lets go on.
Reply AwaitFile(std::string_view path) {
  const std::string file(path);
  while (unlink(file.c_str()) != 0) usleep(1000);
  return "seen";
}

void AddAll(ProcessFunctions& functions) {
  functions.Add("echo", [](std::string_view text) -> Reply { return std::string(text); });
  functions.Add("pid", [](std::string_view) -> Reply { return std::to_string(getpid()); });
  functions.Add("descriptors", [](std::string_view) -> Reply { return OpenDescriptors(); });
  functions.Add("fail", [](std::string_view text) -> Reply {
    return absl::NotFoundError(std::string(text));
  });
  functions.Add(
      "throw", [](std::string_view text) -> Reply { throw std::runtime_error(std::string(text)); });
  functions.Add("signal", [](std::string_view number) -> Reply {
    raise(atoi(std::string(number).c_str()));
    return "it goes on";
  });
  functions.Add("exit",
                [](std::string_view code) -> Reply { _exit(atoi(std::string(code).c_str())); });
  functions.Add("hang", [](std::string_view) -> Reply {
    for (;;) pause();
  });
  functions.Add("leak", Leak);
  functions.Add("await file", AwaitFile);
  functions.Add("large", [](std::string_view bytes) -> Reply {
    return std::string(static_cast<size_t>(atoi(std::string(bytes).c_str())), 'x');
  });
  // A grandchild that outlives the call, and has the FIFO `path` open for as long as it lives.
  functions.Add("daemon", [](std::string_view path) -> Reply {
    if (open(std::string(path).c_str(), O_WRONLY) < 0) _exit(1);
    if (fork() == 0) execlp("sleep", "sleep", "1000", nullptr);
    _exit(7);
  });
}

}  // namespace
}  // namespace grove

int main() {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  grove::ProcessFunctions functions;
  grove::AddAll(functions);
  return functions.Serve();
}
