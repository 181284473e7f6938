#include "http/websocket/message_transcript.h"

#include <algorithm>

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
  MessageReader reader(setup.limits, setup.deflate);
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

std::vector<std::string> Transcript(std::string_view stream, const ReaderSetup& setup) {
  std::vector<std::string> whole = Transcript(stream, setup, [&] { return stream.size(); });
  GROVE_CHECK(Transcript(stream, setup, [] { return size_t{1}; }) == whole,
              "byte by byte it reads otherwise");
  const size_t step = stream.size() <= kShortBytes ? 1 : stream.size() / 64;
  for (size_t split = 1; split < stream.size(); split += step) {
    GROVE_CHECK(Transcript(stream, setup, [&] { return split; }) == whole,
                "in pieces it reads otherwise");
  }
  return whole;
}

}  // namespace grove::http::websocket
