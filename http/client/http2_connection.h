// Http2Connection: an HTTP/2 connection that many fibers' requests share.
//
// A fiber of its own reads it, answers what the protocol asks, and wakes who waits. Another one
// writes, while there is something: what the requests of a turn say goes out in one call. Neither
// is bound by a request's Timeout, so that one that gives up does not leave half a frame.
// Whatever ends it, its streams fail with the reason, and its place in the pool is free at once.
// Hub thread only.
#ifndef GROVE_HTTP_CLIENT_HTTP2_CONNECTION_H_
#define GROVE_HTTP_CLIENT_HTTP2_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "http/client/connection_pool.h"
#include "http/client/http2_session.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/scheduled_call.h"
#include "runtime/io/stream.h"

namespace grove::http {

// Its fibers keep it until they have ended, also if the pool that made it is gone.
class Http2Connection : public std::enable_shared_from_this<Http2Connection> {
 public:
  class Watch {
   public:
    // There may be room for a stream, or it has become idle or, for the last time, closed. It must
    // not park.
    virtual void OnChange(Http2Connection& connection) = 0;

   protected:
    ~Watch() = default;
  };

  // `place`: what it counts for in the pool while it is open; without a stream of its own. `watch`
  // must outlive it, or be forgotten. Closed already if the hub has no fiber for it.
  static std::shared_ptr<Http2Connection> Start(std::unique_ptr<Stream> stream,
                                                ConnectionPool::Lease place,
                                                const Http2Limits& limits, const PoolLimits& pool,
                                                Watch& watch);
  // Requires: none of its streams is left.
  ~Http2Connection() = default;
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  // For one more stream, beside those that are reserved.
  bool has_room() const;
  void Reserve() { ++reserved_; }
  void Unreserve();
  // The server has not said yet how many it takes, and has one.
  bool settling() const { return !closed_ && !draining_ && !session_.heard_settings(); }
  // Uses up a reservation. See Http2Session.
  absl::Status Submit(const HttpFields& fields, bool has_body, Http2Stream& stream);
  void Resume(Http2Stream& stream);
  void TakeBody(Http2Stream& stream, std::string& body);
  void GiveUp(Http2Stream& stream);

  // No further streams; it closes when the last one has ended.
  void Drain();
  // Says goodbye without waiting for it; streams that are open fail with `why`.
  void Close(const absl::Status& why);
  bool closed() const { return closed_; }
  bool idle() const { return session_.streams() + reserved_ == 0; }
  // Since when.
  MonotonicNanos idle_since() const { return idle_since_; }
  int64_t streams() const { return session_.streams(); }
  bool answered() const { return session_.answered(); }
  // Nobody is told of changes any more.
  void ForgetWatch() { watch_ = nullptr; }

 private:
  Http2Connection(std::unique_ptr<Stream> stream, ConnectionPool::Lease place,
                  const Http2Limits& limits, const PoolLimits& pool, Watch& watch);
  void Read();
  void Write();
  absl::Status WriteAll();
  // Starts the writer if there is something to write.
  void Flush();
  // At once: nothing more goes out.
  void Die(const absl::Status& why);
  // What both ways of ending have in common.
  void End(const absl::Status& why);
  // After whatever may have ended streams.
  void Changed();
  void Tick();
  void ArmTimer();
  MonotonicNanos NextDue() const;

  const std::unique_ptr<Stream> stream_;
  ConnectionPool::Lease place_;
  const Http2Limits limits_;
  const absl::Duration idle_max_;
  const MonotonicNanos old_at_;
  Watch* watch_;
  Http2Session session_;
  int64_t reserved_ = 0;
  bool writing_ = false;
  bool closed_ = false;
  bool draining_ = false;
  bool was_idle_ = true;
  MonotonicNanos idle_since_;
  MonotonicNanos received_at_;
  MonotonicNanos pinged_at_ = 0;  // 0: no answer is waited for
  ScheduledCall timer_;
  MonotonicNanos timer_due_ = 0;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_HTTP2_CONNECTION_H_
