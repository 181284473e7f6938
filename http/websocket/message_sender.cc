#include "http/websocket/message_sender.h"

#include <span>
#include <utility>

#include "http/message/utf8.h"
#include "runtime/hub/hub.h"

namespace grove::http::websocket {
namespace {

// Compressed before others get a turn.
constexpr size_t kCompressSliceBytes = 64 * 1024;
// Masked, and held, at once.
constexpr size_t kMaskSliceBytes = 64 * 1024;

Opcode OpcodeOf(MessageType type) {
  return type == MessageType::kText ? Opcode::kText : Opcode::kBinary;
}

absl::Status NoUtf8() {
  return absl::InvalidArgumentError("a text message must be UTF-8; send it as binary");
}

absl::Status NoMemory() {
  return absl::ResourceExhaustedError("no memory to compress a message");
}

}  // namespace

MessageSender::MessageSender(Transport& transport, Role role,
                             const std::optional<DeflateAgreement>& deflate,
                             const Compression& compression, const SessionState& state, Gone gone)
    : transport_(transport),
      role_(role),
      compression_(compression),
      state_(state),
      gone_(std::move(gone)) {
  if (!deflate.has_value()) return;
  if (role == Role::kServer) {
    deflater_.emplace(deflate->server_window_bits, compression.level,
                      !deflate->server_no_context_takeover);
  } else {
    deflater_.emplace(deflate->client_window_bits, compression.level,
                      !deflate->client_no_context_takeover);
  }
}

absl::Status MessageSender::Send(MessageType type, std::string_view payload) {
  if (type == MessageType::kText && !IsUtf8(payload)) return NoUtf8();
  if (state_.closing()) return gone_();
  MutexLock lock(message_);
  if (!lock.ok()) return lock.status();
  if (state_.closing() || half_sent_) return gone_();
  FrameHead head{.final = true, .opcode = OpcodeOf(type)};
  if (!deflater_.has_value() || payload.empty() || payload.size() < compression_.bytes_min) {
    return SendFrame(head, payload);
  }
  // What the compressor has seen, the peer must see: what follows may refer to it.
  Unfinished half{*this, true};
  std::string compressed;
  if (!Compress(payload, compressed) || !deflater_->Finish(compressed)) return NoMemory();
  head.compressed = true;
  absl::Status sent = SendFrame(head, compressed);
  half.begun = !sent.ok();
  return sent;
}

absl::Status MessageSender::SendPieces(MessageType type, MessageSource next) {
  if (state_.closing()) return gone_();
  MutexLock lock(message_);
  if (!lock.ok()) return lock.status();
  if (state_.closing() || half_sent_) return gone_();
  FrameHead head{.compressed = deflater_.has_value(), .opcode = OpcodeOf(type)};
  Unfinished half{*this};
  Utf8Check utf8;
  for (;;) {
    const absl::StatusOr<std::string> piece = next();
    if (!piece.ok()) return piece.status();
    const bool sound = piece->empty() ? utf8.AtBoundary() : utf8.Feed(*piece);
    if (type == MessageType::kText && !sound) return NoUtf8();
    half.begun = true;  // if only to the compressor
    if (absl::Status sent = SendPiece(head, *piece); !sent.ok()) return sent;
    if (piece->empty()) break;
  }
  half.begun = false;
  return absl::OkStatus();
}

absl::Status MessageSender::SendPiece(FrameHead& head, std::string_view piece) {
  head.final = piece.empty();
  std::string compressed;
  if (deflater_.has_value()) {
    const bool fits = Compress(piece, compressed) && (!head.final || deflater_->Finish(compressed));
    if (!fits) return NoMemory();
    // The compressor holds some back.
    if (compressed.empty() && !head.final) return absl::OkStatus();
    piece = compressed;
  }
  absl::Status sent = SendFrame(head, piece);
  head.opcode = Opcode::kContinuation;
  head.compressed = false;  // the bit marks a message's first frame
  return sent;
}

bool MessageSender::Compress(std::string_view payload, std::string& out) {
  while (!payload.empty()) {
    const std::string_view slice = payload.substr(0, kCompressSliceBytes);
    if (!deflater_->Add(slice, out)) return false;
    payload.remove_prefix(slice.size());
    if (!payload.empty()) Yield();
  }
  return true;
}

FrameMask MessageSender::Mask() {
  if (role_ == Role::kClient) return masks_.Next();
  return {};
}

absl::Status MessageSender::WriteClose(uint16_t code, std::string_view reason) {
  return transport_.Write(CloseFrame(code, reason, Mask()), {});
}

absl::Status MessageSender::SendFrame(FrameHead head, std::string_view payload) {
  MutexLock lock(turn_);
  if (!lock.ok()) return lock.status();
  if (state_.closing()) return gone_();
  head.payload_bytes = payload.size();
  absl::Status sent = role_ == Role::kClient ? WriteMasked(head, payload)
                                             : transport_.Write(FrameHeadBytes(head), payload);
  SendOwedPong();
  return sent;
}

// The caller's bytes stay as they are.
absl::Status MessageSender::WriteMasked(const FrameHead& head, std::string_view payload) {
  const MaskKey key = masks_.Next();
  std::string bytes = FrameHeadBytes(head, key);
  for (size_t offset = 0;;) {
    const std::string_view slice = payload.substr(offset, kMaskSliceBytes);
    const size_t before = bytes.size();
    bytes.append(slice);
    ApplyMask(std::span(bytes).subspan(before), key, offset);
    if (absl::Status sent = transport_.Write(bytes, {}); !sent.ok()) return sent;
    offset += slice.size();
    if (offset == payload.size()) return absl::OkStatus();
    bytes.clear();
  }
}

absl::Status MessageSender::SendControl(Opcode opcode, std::string_view payload) {
  if (state_.closing()) return gone_();
  MutexLock lock(turn_);
  if (!lock.ok()) return lock.status();
  if (state_.closing()) return gone_();
  absl::Status sent = transport_.Write(ControlFrame(opcode, payload, Mask()), {});
  SendOwedPong();
  return sent;
}

absl::Status MessageSender::Pong(const std::string& payload) {
  if (busy()) {
    owed_pong_ = payload;
    return absl::OkStatus();
  }
  return SendControl(Opcode::kPong, payload);
}

void MessageSender::SendOwedPong() {
  while (owed_pong_.has_value() && !state_.closing()) {
    const std::string payload = *std::exchange(owed_pong_, std::nullopt);
    transport_.Write(ControlFrame(Opcode::kPong, payload, Mask()), {}).IgnoreError();
  }
}

}  // namespace grove::http::websocket
