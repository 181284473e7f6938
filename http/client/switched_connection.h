// SwitchedConnection: a client's connection that a 101 switched to another protocol, as a
// Transport.
//
// It holds its place in the pool until it dies, and no buffer while it waits for bytes. Hub thread
// only.
#ifndef GROVE_HTTP_CLIENT_SWITCHED_CONNECTION_H_
#define GROVE_HTTP_CLIENT_SWITCHED_CONNECTION_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "http/client/connection_pool.h"
#include "http/transport/transport.h"

namespace grove::http {

class SwitchedConnection final : public Transport {
 public:
  // Requires: the lease has a connection.
  explicit SwitchedConnection(ConnectionPool::Lease lease) : lease_(std::move(lease)) {}

  std::span<char> unread() override { return lease_->unread(); }
  void Consume(size_t bytes) override { lease_->Consume(bytes); }
  absl::StatusOr<size_t> Fill(size_t room) override;
  // Sends at once. No limit of its own: a Timeout that ends it ends the connection.
  absl::Status Write(std::string_view head, std::string_view body) override;
  Progress progress() const override;
  void StopReading() override;
  // A client does not drain.
  void set_on_drain(std::function<void()> /*on_drain*/) override {}

  // Sends the end of the stream; reading goes on. May **park**.
  void ShutdownWrite();
  // Ends it both ways, and wakes who waits on it.
  void Close();

 private:
  ConnectionPool::Lease lease_;
  Stream& stream_{lease_->stream()};
  int64_t written_ = 0;
  bool reading_stopped_ = false;
  absl::Status broken_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_SWITCHED_CONNECTION_H_
