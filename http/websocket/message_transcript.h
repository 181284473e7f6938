// MessageTranscript: what a MessageReader makes of a stream that comes in pieces, as lines; and the
// client's frames to make such streams of. For tests.
#ifndef GROVE_HTTP_WEBSOCKET_MESSAGE_TRANSCRIPT_H_
#define GROVE_HTTP_WEBSOCKET_MESSAGE_TRANSCRIPT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "http/websocket/message_reader.h"

namespace grove::http::websocket {

// A frame as a client sends it, masked. `first`: its first byte, FIN, RSV and opcode.
std::string ClientFrame(int first, std::string_view payload);
std::string ClientClose(uint16_t code, std::string_view reason = {});
// The same, unmasked, as a server would send it.
std::string Unmasked(int first, std::string_view payload);

inline constexpr int kFin = 0x80;
inline constexpr int kRsv1 = 0x40;

struct ReaderSetup {
  Role role = Role::kServer;
  MessageLimits limits;
  std::optional<DeflateAgreement> deflate;
};

// "text PAYLOAD", "binary …", "ping …", "pong …", "close CODE REASON", "fail CODE". Ends at a close
// or failure. `piece_bytes` says how much comes next.
std::vector<std::string> Transcript(std::string_view stream, const ReaderSetup& setup,
                                    absl::FunctionRef<size_t()> piece_bytes);
// A client's stream as a server would send it: without masks. Nothing if that can't be said: of a
// frame that has no mask, or of a head that is cut short.
std::optional<std::string> AsServers(std::string_view stream);
// The same for the other end: of what it is and of what was agreed on.
ReaderSetup Mirrored(const ReaderSetup& setup);
// As a whole; and aborts the process if byte by byte, or in two pieces at any split (of a short
// stream), it reads otherwise, or if a client reads the same stream from a server otherwise.
std::vector<std::string> Transcript(std::string_view stream, const ReaderSetup& setup = {});

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_MESSAGE_TRANSCRIPT_H_
