// prefork_socket: one listening socket, a process for each CPU.
//
// oslo.service's: the parent makes the socket, trying again for a time if the address is taken, and
// forks as many workers as there are CPUs; whoever accepts first serves. Workers learn by a pipe
// that the parent died; by a signal here (PR_SET_PDEATHSIG). More forks than workers within as many
// seconds: the parent pauses for a second. A hub belongs to its process: the parent that forks has
// none. grove::Main does all this, and drains, reloads and watches besides (hello.cc).
//
//   prefork_socket [ADDRESS] &
//   nc 127.0.0.1 6000
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <deque>
#include <iostream>
#include <thread>

#include "runtime/runtime.h"

// On a hub that is gone before the first fork.
absl::StatusOr<int> BindPatiently(const char* address) {
  GROVE_ASSIGN_OR_RETURN(const auto hub, grove::Hub::Create());
  int bound = -1;
  GROVE_RETURN_IF_ERROR(hub->Run([&]() -> absl::Status {
    GROVE_ASSIGN_OR_RETURN(const auto parsed, grove::SocketAddress::Parse(address));
    const auto bind = [&] {
      auto bound = grove::BindListener(parsed);
      if (!bound.ok()) std::cout << bound.status().message() << std::endl;
      return bound;
    };
    GROVE_ASSIGN_OR_RETURN(bound, grove::Retry({.retries_max = 30,
                                                .pause_step = absl::Seconds(0.1),
                                                .retried = {absl::StatusCode::kFailedPrecondition}},
                                               bind));
    return absl::OkStatus();
  }));
  return bound;
}

absl::Status Answer(grove::Socket& connection) {
  return connection.Write("served by " + std::to_string(getpid()) + "\n");
}

int Work(int argc, char** argv, int bound, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) return 1;  // it has died before that
  return grove::RunMain(argc, argv, [bound]() -> absl::Status {
    GROVE_ASSIGN_OR_RETURN(auto listener, grove::Listener::Adopt(bound));
    return grove::Serve(listener, Answer);
  });
}

int main(int argc, char** argv) {
  const auto bound = BindPatiently(argc > 1 ? argv[1] : "127.0.0.1:6000");
  if (!bound.ok()) return std::cerr << bound.status() << '\n', 1;
  std::cout << "listening on " << grove::SocketAddress::OfLocal(*bound).ToString() << std::endl;
  const size_t workers = std::max(2u, std::thread::hardware_concurrency());
  const pid_t parent = getpid();
  std::deque<time_t> forks;  // the latest, one for each worker
  for (size_t running = 0;; --running) {
    for (; running < workers; ++running) {
      if (forks.size() > workers && time(nullptr) - forks.front() < workers) sleep(1);
      if (forks.size() > workers) forks.pop_front();
      forks.push_back(time(nullptr));
      const pid_t worker = fork();
      if (worker == 0) return Work(argc, argv, *bound, parent);
      if (worker > 0) std::cout << "started worker " << worker << std::endl;
    }
    wait(nullptr);
  }
}
