// FakeGrove: the public API in the test's own process, on a free loopback port.
//
// Tasks end as their function says: "echo" succeeds with its input, "fail" fails, "stuck" runs
// until cancelled, "slow" is a quarter further whenever it is looked at; any other function is
// refused. The backdoor answers every line with itself, "do" with the prompt of a statement that
// goes on, and "bad…" with an error. Operations: fake_operations.h;
// tenants: fake_tenants.h; schedules: fake_schedules.h.

#ifndef GROVE_CLIENT_FAKE_GROVE_H_
#define GROVE_CLIENT_FAKE_GROVE_H_

#include <memory>
#include <string>
#include <vector>

namespace grove::client {

class FakeStreams;

class FakeGrove {
 public:
  struct Options {
    // Calls without it are UNAUTHENTICATED; empty lets everybody in.
    std::string token;
    enum class Transport { kPlain, kTls } transport = Transport::kPlain;
  };

  FakeGrove();
  explicit FakeGrove(const Options& options);
  ~FakeGrove();

  std::string address() const;
  // The server's own certificate in PEM form; TLS only.
  std::string certificate() const;
  // The next waits end as if the connection had.
  void LeaveWaitsUnanswered(int count);
  // The next watches of operations end as if the connection had.
  void BreakWatches(int count);
  // What happens to streams of spawns and to watches of tasks.
  FakeStreams& streams();
  // As a restart does with volatile tasks.
  void Forget();
  // Page sizes that ListTasks was asked for, in order.
  std::vector<int> page_sizes() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_GROVE_H_
