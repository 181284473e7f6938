#include "zeromq/frame.h"

#include <memory>

#include "runtime/hub/check.h"

namespace grove::zeromq {

void Frame::OutOfMemory() {
  Die("out of memory for a frame");
}

Frame::Frame(std::string&& bytes) {
  if (bytes.size() <= kCopyMax) {
    zmq_msg_init(&raw_);
    *this = Frame(std::string_view(bytes));
    return;
  }
  auto owner = std::make_unique<std::string>(std::move(bytes));
  const auto drop = [](void* /*data*/, void* hint) { delete static_cast<std::string*>(hint); };
  if (zmq_msg_init_data(&raw_, owner->data(), owner->size(), drop, owner.get()) != 0) OutOfMemory();
  (void)owner.release();  // libzmq calls drop
}

Frame Frame::Share() const {
  Frame shared;
  zmq_msg_copy(&shared.raw_, const_cast<zmq_msg_t*>(&raw_));
  return shared;
}

std::string_view Frame::Property(const char* name) const {
  const char* value = zmq_msg_gets(&raw_, name);
  return value == nullptr ? std::string_view() : value;
}

}  // namespace grove::zeromq
