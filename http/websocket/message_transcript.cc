#include "http/websocket/message_transcript.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http/websocket/frame_writer.h"
#include "http/websocket/mask.h"
#include "runtime/hub/check.h"

namespace grove::http::websocket {
namespace {

// Beyond, only some splits are tried.
constexpr size_t kShortBytes = 600;

std::string Line(MessageReader& reader, MessageReader::Event event) {
  using Event = MessageReader::Event;
  switch (event) {
    case Event::kMessage: {
      const Message message = reader.TakeMessage();
      return (message.type == MessageType::kText ? "text " : "binary ") + message.payload;
    }
    case Event::kPing:
      return "ping " + reader.control_payload();
    case Event::kPong:
      return "pong " + reader.control_payload();
    case Event::kClose:
      return absl::StrCat("close ", reader.close().code, " ", reader.close().reason);
    default:
      return absl::StrCat("fail ", reader.close().code);
  }
}

}  // namespace

std::string Unmasked(int first, std::string_view payload) {
  std::string head = FrameHeadBytes({.payload_bytes = payload.size()});
  head[0] = static_cast<char>(first);
  return head.append(payload);
}

std::string ClientFrame(int first, std::string_view payload) {
  constexpr MaskKey kKey = {'\x37', '\xfa', '\x21', '\x3d'};  // RFC 6455, 5.7
  std::string frame = Unmasked(first, payload);
  frame.resize(frame.size() - payload.size());
  frame[1] = static_cast<char>(frame[1] | 0x80);
  frame.append(kKey.data(), kKey.size());
  std::string masked(payload);
  ApplyMask(masked, kKey, 0);
  return frame + masked;
}

std::string ClientClose(uint16_t code, std::string_view reason) {
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return ClientFrame(0x88, payload.append(reason));
}

std::vector<std::string> Transcript(std::string_view stream, const ReaderSetup& setup,
                                    absl::FunctionRef<size_t()> piece_bytes) {
  using Event = MessageReader::Event;
  MessageReader reader(setup.role, setup.limits, setup.deflate);
  std::vector<std::string> lines;
  while (!stream.empty()) {
    std::string piece(stream.substr(0, std::max<size_t>(piece_bytes(), 1)));
    stream.remove_prefix(piece.size());
    std::span<char> bytes(piece);
    for (Event event; (event = reader.Next(bytes)) != Event::kNeedMore;) {
      lines.push_back(Line(reader, event));
      if (event == Event::kClose || event == Event::kFailed) return lines;
    }
    GROVE_CHECK(bytes.empty(), "the reader left bytes that it needs");
  }
  return lines;
}

std::optional<std::string> AsServers(std::string_view stream) {
  std::string unmasked;
  while (!stream.empty()) {
    if (stream.size() < 2 || (stream[1] & 0x80) == 0) return std::nullopt;
    const int form = stream[1] & 0x7f;
    const size_t length_bytes = form == 126 ? 2 : form == 127 ? 8 : 0;
    MaskKey key;
    const size_t head_bytes = 2 + length_bytes + key.size();
    if (stream.size() < head_bytes) return std::nullopt;
    uint64_t length = length_bytes == 0 ? static_cast<uint64_t>(form) : 0;
    for (size_t i = 0; i < length_bytes; ++i) {
      length = length << 8 | static_cast<uint8_t>(stream[2 + i]);
    }
    std::string head(stream.substr(0, 2 + length_bytes));
    head[1] = static_cast<char>(head[1] & 0x7f);
    stream.copy(key.data(), key.size(), 2 + length_bytes);
    stream.remove_prefix(head_bytes);
    std::string payload(stream.substr(0, length));
    stream.remove_prefix(payload.size());
    ApplyMask(payload, key, 0);
    unmasked += head + payload;
  }
  return unmasked;
}

ReaderSetup Mirrored(const ReaderSetup& setup) {
  ReaderSetup mirrored = setup;
  mirrored.role = setup.role == Role::kServer ? Role::kClient : Role::kServer;
  if (!setup.deflate.has_value()) return mirrored;
  std::swap(mirrored.deflate->server_window_bits, mirrored.deflate->client_window_bits);
  std::swap(mirrored.deflate->server_no_context_takeover,
            mirrored.deflate->client_no_context_takeover);
  return mirrored;
}

std::vector<std::string> Transcript(std::string_view stream, const ReaderSetup& setup) {
  std::vector<std::string> whole = Transcript(stream, setup, [&] { return stream.size(); });
  GROVE_CHECK(Transcript(stream, setup, [] { return size_t{1}; }) == whole,
              "byte by byte it reads otherwise");
  const size_t step = stream.size() <= kShortBytes ? 1 : stream.size() / 64;
  for (size_t split = 1; split < stream.size(); split += step) {
    GROVE_CHECK(Transcript(stream, setup, [&] { return split; }) == whole,
                "in pieces it reads otherwise");
  }
  const std::optional<std::string> servers =
      setup.role == Role::kServer ? AsServers(stream) : std::nullopt;
  if (servers.has_value()) {
    GROVE_CHECK(Transcript(*servers, Mirrored(setup)) == whole, "a client reads otherwise");
  }
  return whole;
}

}  // namespace grove::http::websocket
