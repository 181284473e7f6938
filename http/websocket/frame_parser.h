// FrameParser: the other end's bytes to frames (RFC 6455, 5.2), without I/O.
//
// Incremental and zero-copy: it takes any pieces, unmasks payloads in place and yields them as
// views into the caller's bytes. It refuses, at the byte that shows it, whatever a frame or the
// order of frames may not be. What the payloads mean is MessageReader's business. Pure.
#ifndef GROVE_HTTP_WEBSOCKET_FRAME_PARSER_H_
#define GROVE_HTTP_WEBSOCKET_FRAME_PARSER_H_

#include <cstdint>
#include <span>

#include "http/websocket/frame.h"
#include "http/websocket/mask.h"

namespace grove::http::websocket {

class FrameParser {
 public:
  enum class Event : uint8_t {
    kNeedMore,
    kHead,     // head()
    kPayload,  // payload(), not empty
    kEnd,      // of the frame
    kBad,      // failure(); from now on always
  };

  // `role`: ours. `frame_bytes_max`: of a frame's payload; more is refused with 1009.
  // `compression`: whether RSV1 was negotiated (RFC 7692).
  FrameParser(Role role, uint64_t frame_bytes_max, bool compression)
      : role_(role), frame_bytes_max_(frame_bytes_max), compression_(compression) {}

  // Takes what it uses off the front of `bytes`.
  Event Next(std::span<char>& bytes);

  const FrameHead& head() const { return head_; }
  std::span<char> payload() const { return payload_; }
  const CloseStatus& failure() const { return failure_; }
  // Of the frame under way.
  uint64_t payload_left() const { return left_; }

 private:
  enum class Stage : uint8_t { kHead, kPayload, kBad };

  Event Fail(uint16_t code, std::string reason);
  // Each takes the head's bytes so far; kNeedMore: nothing wrong with them.
  Event CheckFirstByte();
  Event CheckSecondByte();
  Event CheckLength();
  Event TakeHead(std::span<char>& bytes);
  size_t HeadBytesWanted() const;
  size_t MaskBytes() const { return role_ == Role::kServer ? sizeof(MaskKey) : 0; }

  const Role role_;
  const uint64_t frame_bytes_max_;
  const bool compression_;
  Stage stage_ = Stage::kHead;
  bool in_message_ = false;  // a fragmented one is under way
  uint8_t head_bytes_ = 0;
  uint8_t bytes_[kFrameHeadBytesMax] = {};
  FrameHead head_;
  MaskKey key_{};
  uint64_t left_ = 0;
  std::span<char> payload_;
  CloseStatus failure_;
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_FRAME_PARSER_H_
