// Exchange: the topics of one worker, and its sockets to and from the other workers.
//
// Each worker listens at a path of its slot in the daemon's folder (SOCK_SEQPACKET: the kernel
// keeps messages whole and in order), and connects to another's when it first has something for
// it. So no process hands sockets to another: a worker that is started again, added or of another
// program is found where its slot is, and what its predecessor had not read died with that one's
// sockets. Nothing that another worker does or fails to do makes this one wait: what its socket
// has no room for is dropped, and the next message that fits says how many were. Hub thread only.
#ifndef GROVE_SERVER_TOPICS_EXCHANGE_H_
#define GROVE_SERVER_TOPICS_EXCHANGE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/socket_name.h"
#include "server/topics/exchange_stats.h"
#include "server/topics/topics.h"

namespace grove::topics {

class Exchange final : public Topics {
 public:
  struct Options {
    int slot = 0;
    std::string folder;
    // Slots with a worker, in any order, its own or not.
    std::function<std::vector<int>()> live_slots;
  };

  explicit Exchange(Options options);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // From now on others find it. What a dead predecessor left at the path goes.
  absl::Status Open();
  // The body of a fiber: hears the others until cancelled. Requires: Open(). **Parks.**
  absl::Status Run();

  absl::Status Publish(std::string_view topic, std::string_view bytes) override;
  absl::StatusOr<Subscription> Subscribe(std::string_view topic, size_t waiting_max) override;

  const ExchangeStats& stats() const { return stats_; }
  size_t subscriptions() const { return subscribers_->size(); }

 private:
  enum class Sent { kYes, kFull, kNobody };
  // To another worker.
  struct Peer {
    int fd = -1;
    uint64_t lost = 0;  // since the last one that it took
  };

  std::string PathOf(int slot) const;
  void Tell(int slot, std::string_view topic, std::string_view bytes);
  Sent Connect(int slot, Peer& peer);
  Sent Send(Peer& peer, std::string_view topic, std::string_view bytes);
  // Of slots that no worker has any more.
  void Forget(const std::vector<int>& live);
  // Reads one connection to its end. **Parks.**
  absl::Status Hear(int fd);
  void Take(std::string_view frame);

  const Options options_;
  const std::shared_ptr<Subscribers> subscribers_ = std::make_shared<Subscribers>();
  int listening_fd_ = -1;
  SocketName name_;
  // Where every connection's are read to: nothing parks before they are taken.
  std::vector<char> frame_;
  std::map<int, Peer> peers_;
  ExchangeStats stats_;
};

}  // namespace grove::topics

#endif  // GROVE_SERVER_TOPICS_EXCHANGE_H_
