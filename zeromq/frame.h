// Frame: one part of a message: bytes that libzmq and this process pass on without copying them.
//
// Received, it shows what libzmq has read; sent, libzmq frees it when the bytes are on their way.
// A Message is one frame or several, which travel together or not at all.
// A value, moved but not copied; any thread, one at a time.
#ifndef GROVE_ZEROMQ_FRAME_H_
#define GROVE_ZEROMQ_FRAME_H_

#include <zmq.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grove::zeromq {

class Frame {
 public:
  // Up to here copying is cheaper than a counted owner, which costs an allocation and an atomic.
  static constexpr size_t kCopyMax = 1024;

  Frame() { zmq_msg_init(&raw_); }
  // Copies.
  Frame(std::string_view bytes) {  // NOLINT(google-explicit-constructor): frames are texts
    if (zmq_msg_init_size(&raw_, bytes.size()) != 0) OutOfMemory();
    if (!bytes.empty()) memcpy(zmq_msg_data(&raw_), bytes.data(), bytes.size());
  }
  Frame(const char* text) : Frame(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Frame(const std::string& bytes)                             // NOLINT(google-explicit-constructor)
      : Frame(std::string_view(bytes)) {}
  // Keeps the string itself where that pays. Its memory is given back on a thread of libzmq.
  Frame(std::string&& bytes);  // NOLINT(google-explicit-constructor)
  Frame(Frame&& other) noexcept : Frame() { zmq_msg_move(&raw_, &other.raw_); }
  Frame& operator=(Frame&& other) noexcept {
    if (this != &other) zmq_msg_move(&raw_, &other.raw_);
    return *this;
  }
  ~Frame() { zmq_msg_close(&raw_); }

  // The same bytes once more, counted, not copied: to send them to several.
  Frame Share() const;

  std::string_view view() const {
    auto* raw = const_cast<zmq_msg_t*>(&raw_);
    return {static_cast<const char*>(zmq_msg_data(raw)), zmq_msg_size(raw)};
  }
  std::string text() const { return std::string(view()); }
  size_t size() const { return zmq_msg_size(&raw_); }
  bool empty() const { return size() == 0; }
  // What is known of its sender: "Peer-Address", "Socket-Type", "User-Id" … Empty if it is not.
  std::string_view Property(const char* name) const;

  friend bool operator==(const Frame& frame, std::string_view bytes) {
    return frame.view() == bytes;
  }

 private:
  friend class Socket;

  [[noreturn]] static void OutOfMemory();

  zmq_msg_t raw_;
};

using Message = std::vector<Frame>;

// MessageOf(client, "", std::move(body)): a frame each.
template <typename... Parts>
Message MessageOf(Parts&&... parts) {
  Message message;
  message.reserve(sizeof...(parts));
  (message.emplace_back(std::forward<Parts>(parts)), ...);
  return message;
}

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_FRAME_H_
