// ConnectionState: where a connection stands between accept and close, and what may follow.
//
// Everything that decides that stands here: the phases, the table of steps between them, and the
// two things that are true beside a phase. Whoever moves a connection does it by Move() or Enter(),
// which die at a step that the table does not have. Does no I/O. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_CONNECTION_STATE_H_
#define GROVE_SERVER_HTTP_SERVING_CONNECTION_STATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "runtime/hub/check.h"

namespace grove::http {

//                    +-> kOpening --+                 +------- kAnswered <--+
//   kAccepted -------+--------------+-> kFresh -+     |            |        |
//                                               |     v            v        |
//                                               +-> kHead <----- kIdle      |
//                                                     |                     |
//                                                     +-----> kHandler -----+
//                                                                 +-> kSwitched
//
// From all but kAccepted and kAnswered it can end, in kClosing: at once, or, where we have
// answered, by way of kLingering.
enum class ConnectionPhase : uint8_t {
  kAccepted,   // its fiber has not run
  kOpening,    // a PROXY header, TLS
  kFresh,      // waits for its first request
  kIdle,       // waits for a further one
  kHead,       // a request has begun; its head is not whole, or not looked at
  kHandler,    // its handler and what belongs to its end: hooks, the rest of its body
  kSwitched,   // its handler has the bytes, in another protocol
  kAnswered,   // the next request may follow, or stands in the buffer
  kLingering,  // our last byte is written; reads on, so that the client sees it (RFC 9112, 9.6)
  kClosing,    // sends what is pending, and is gone
};
inline constexpr size_t kConnectionPhases = 10;

// By phase, a bit for each that may follow.
inline constexpr std::array<uint16_t, kConnectionPhases> kConnectionSteps = [] {
  using enum ConnectionPhase;
  std::array<uint16_t, kConnectionPhases> steps{};
  auto may_follow = [&](ConnectionPhase from, std::initializer_list<ConnectionPhase> to) {
    for (const ConnectionPhase phase : to) {
      steps[static_cast<size_t>(from)] |= static_cast<uint16_t>(1U << static_cast<size_t>(phase));
    }
  };
  may_follow(kAccepted, {kOpening, kFresh});
  may_follow(kOpening, {kFresh, kLingering, kClosing});
  may_follow(kFresh, {kHead, kClosing});
  may_follow(kIdle, {kHead, kClosing});
  may_follow(kHead, {kHandler, kLingering, kClosing});
  may_follow(kHandler, {kSwitched, kAnswered, kLingering, kClosing});
  may_follow(kSwitched, {kLingering, kClosing});
  may_follow(kAnswered, {kIdle, kHead});
  may_follow(kLingering, {kClosing});
  return steps;
}();

class ConnectionState {
 public:
  using Phase = ConnectionPhase;
  // Whether the request under way asked for its end when the client goes away.
  enum class Watch : uint8_t { kOff, kOn, kClientGone };

  static constexpr bool MayFollow(Phase from, Phase to) {
    return (kConnectionSteps[static_cast<size_t>(from)] >> static_cast<size_t>(to) & 1U) != 0;
  }

  // From a phase that is known there: the table is asked when this is compiled.
  template <Phase from, Phase to>
  void Move() {
    static_assert(MayFollow(from, to));
    GROVE_CHECK(phase_ == from, "a connection is in another phase than its code believes");
    phase_ = to;
  }
  // From the one it is in.
  void Enter(Phase to) {
    GROVE_CHECK(MayFollow(phase_, to), "a connection took a step that its phases do not have");
    phase_ = to;
  }
  Phase phase() const { return phase_; }
  // Nothing of a request is here: the server may end the connection, after a grace.
  bool AwaitsRequest() const {
    return phase_ == Phase::kFresh || phase_ == Phase::kIdle || phase_ == Phase::kOpening;
  }

  // --- Beside the phase --------------------------------------------------------------------------

  // The server's wish, which comes in any phase, and stays. False if it was known.
  bool BeginDrain() {
    if (draining_) return false;
    draining_ = true;
    return true;
  }
  bool draining() const { return draining_; }

  // The client's end, seen while a handler runs that asked for it. False: there is nothing to
  // watch, since the client has gone before.
  bool BeginWatch() {
    if (watch_ == Watch::kClientGone) return false;
    GROVE_CHECK(MayWatch(), "a client is watched where no handler runs");
    watch_ = Watch::kOn;
    return true;
  }
  void NoteClientGone() {
    GROVE_CHECK(watch_ == Watch::kOn, "a client's end was seen that nobody watches for");
    watch_ = Watch::kClientGone;
  }
  // False if it was not on. That the client is gone stays known.
  bool EndWatch() {
    if (watch_ == Watch::kOff) return false;
    if (watch_ == Watch::kOn) watch_ = Watch::kOff;
    return true;
  }
  bool client_gone() const { return watch_ == Watch::kClientGone; }

 private:
  bool MayWatch() const { return phase_ == Phase::kHandler || phase_ == Phase::kSwitched; }

  Phase phase_ = Phase::kAccepted;
  bool draining_ = false;
  Watch watch_ = Watch::kOff;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_CONNECTION_STATE_H_
