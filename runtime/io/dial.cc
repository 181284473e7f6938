#include "runtime/io/dial.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

// The attempts' fibers share it, and may outlive the call that started them by a turn.
struct Race {
  std::vector<SocketAddress> addresses;
  DialOptions options;
  std::vector<absl::Status> errors;  // by address; OK while there is none
  size_t failed = 0;
  Socket winner;
  Event changed;  // an attempt has ended
  std::vector<FiberHandle> attempts;

  void Attempt(size_t index) {
    absl::StatusOr<Socket> socket = Socket::Connect(addresses[index], options.connect);
    if (!socket.ok()) {
      errors[index] = socket.status();
      ++failed;
    } else if (!winner.open()) {
      winner = *std::move(socket);
    }
    changed.Set();
  }
};

// Alternates between the first address's family and the others (RFC 8305 section 4).
std::vector<SocketAddress> Interleave(std::span<const SocketAddress> addresses,
                                      const std::optional<SocketAddress>& bind) {
  std::vector<SocketAddress> groups[2];
  for (const SocketAddress& address : addresses) {
    if (bind.has_value() && bind->storage.ss_family != address.storage.ss_family) continue;
    groups[address.storage.ss_family != addresses[0].storage.ss_family].push_back(address);
  }
  std::vector<SocketAddress> order;
  for (size_t i = 0; i < addresses.size(); ++i) {
    for (const std::vector<SocketAddress>& group : groups) {
      if (i < group.size()) order.push_back(group[i]);
    }
  }
  return order;
}

absl::Status NoneAnswered(const Race& race) {
  absl::StatusCode code = race.errors[0].code();
  std::string text = "no address answered";
  for (size_t i = 0; i < race.errors.size(); ++i) {
    if (race.errors[i].code() != code) code = absl::StatusCode::kUnavailable;
    absl::StrAppend(&text, i == 0 ? ": " : "; ", race.addresses[i].ToString(), " (",
                    race.errors[i].message(), ")");
  }
  return absl::Status(code, text);
}

absl::Status StartAttempt(const std::shared_ptr<Race>& race) {
  const size_t index = race->attempts.size();
  absl::StatusOr<FiberHandle> attempt = Spawn("dial", [race, index] { race->Attempt(index); });
  if (!attempt.ok()) return attempt.status();
  race->attempts.push_back(*std::move(attempt));
  return absl::OkStatus();
}

// Starts attempts until one has won, all have failed, or this fiber is interrupted.
absl::Status RunRace(const std::shared_ptr<Race>& race) {
  const size_t count = race->addresses.size();
  for (size_t may_start = 1;;) {
    while (race->attempts.size() < std::min(may_start, count)) {
      if (absl::Status started = StartAttempt(race); !started.ok()) return started;
    }
    race->changed.Reset();
    const size_t failed = race->failed;
    absl::Status waited;
    bool delay_over = false;
    {
      const bool more = race->attempts.size() < count;
      Timeout delay(more ? race->options.attempt_delay : absl::InfiniteDuration());
      waited = race->changed.Wait();
      delay_over = delay.fired();
    }
    if (race->winner.open()) return absl::OkStatus();
    if (race->failed == count) return NoneAnswered(*race);
    if (!waited.ok() && !delay_over) return waited;
    may_start = race->attempts.size() + (race->failed - failed) + (waited.ok() ? 0 : 1);
  }
}

}  // namespace

absl::StatusOr<Socket> DialAny(std::span<const SocketAddress> addresses,
                               const DialOptions& options) {
  if (addresses.empty() || addresses.size() > kDialAddressesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("dial takes 1 to ", kDialAddressesMax, " addresses, not ", addresses.size()));
  }
  auto race = std::make_shared<Race>();
  race->options = options;
  race->addresses = Interleave(addresses, options.connect.bind);
  race->errors.resize(race->addresses.size());
  if (race->addresses.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no address is of the family of ", options.connect.bind->ToString()));
  }
  const absl::Status status = RunRace(race);
  for (FiberHandle& attempt : race->attempts) attempt.Cancel();
  race->attempts.clear();  // a fiber holds the race that held its handle
  if (!status.ok()) return status;
  return std::move(race->winner);
}

}  // namespace grove
