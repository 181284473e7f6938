// SessionState: how far a WebSocket is on its way from open to closed, and its function with it.
//
// Everything that decides what may follow what stands here; who moves a session does it by the
// calls below, which die at a step that the tables do not have. Does no I/O. Hub thread only.
#ifndef GROVE_HTTP_WEBSOCKET_SESSION_STATE_H_
#define GROVE_HTTP_WEBSOCKET_SESSION_STATE_H_

#include <cstddef>
#include <cstdint>

#include "runtime/hub/check.h"

namespace grove::http::websocket {

// Both directions end, in either order: ours with a close frame, the client's with its own, with
// the connection, or since it broke the protocol (RFC 6455, 7.1.2).
//
//             our close frame        kCloseSent      the client's end
//          +---------------------> (we read on) ---------------------+
//   kOpen -+                                                         +--> kClosed
//          +---------------------> kReadEnded ---------------------+
//             the client's end    (we may send)      our close frame
enum class SessionPhase : uint8_t { kOpen, kCloseSent, kReadEnded, kClosed };
inline constexpr size_t kSessionPhases = 4;

// What the function does with what was received.
enum class FunctionPhase : uint8_t {
  kReady,  // has asked for the next message, or for none yet
  kBusy,   // with one that it took
  kEnded,  // has returned, or thrown
};
inline constexpr size_t kFunctionPhases = 3;

class SessionState {
 public:
  static constexpr bool MayFollow(SessionPhase from, SessionPhase to) {
    constexpr bool kTable[kSessionPhases][kSessionPhases] = {
        //               kOpen  kCloseSent kReadEnded kClosed
        /* kOpen */ {false, true, true, false},
        /* kCloseSent */ {false, false, false, true},
        /* kReadEnded */ {false, false, false, true},
        /* kClosed */ {false, false, false, false},
    };
    return kTable[static_cast<size_t>(from)][static_cast<size_t>(to)];
  }
  static constexpr bool MayFollow(FunctionPhase from, FunctionPhase to) {
    // It may ask several times for one message: a wait that a time-out ended.
    constexpr bool kTable[kFunctionPhases][kFunctionPhases] = {
        //           kReady kBusy kEnded
        /* kReady */ {true, true, true},
        /* kBusy */ {true, true, true},
        /* kEnded */ {false, false, false},
    };
    return kTable[static_cast<size_t>(from)][static_cast<size_t>(to)];
  }

  SessionPhase phase() const { return phase_; }
  // Nothing more is sent but a close frame, or nothing at all.
  bool closing() const { return phase_ != SessionPhase::kOpen; }
  bool close_sent() const {
    return phase_ == SessionPhase::kCloseSent || phase_ == SessionPhase::kClosed;
  }
  // Nothing more is read.
  bool read_ended() const {
    return phase_ == SessionPhase::kReadEnded || phase_ == SessionPhase::kClosed;
  }
  void SendClose() { Enter(read_ended() ? SessionPhase::kClosed : SessionPhase::kCloseSent); }
  void EndRead() { Enter(close_sent() ? SessionPhase::kClosed : SessionPhase::kReadEnded); }
  void Enter(SessionPhase to) {
    GROVE_CHECK(MayFollow(phase_, to), "a WebSocket took a step that its phases do not have");
    phase_ = to;
  }

  FunctionPhase function() const { return function_; }
  void Enter(FunctionPhase to) {
    GROVE_CHECK(MayFollow(function_, to), "a WebSocket's function goes on after its end");
    function_ = to;
  }

 private:
  SessionPhase phase_ = SessionPhase::kOpen;
  FunctionPhase function_ = FunctionPhase::kReady;
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_SESSION_STATE_H_
