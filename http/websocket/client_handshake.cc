#include "http/websocket/client_handshake.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "http/message/scan.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http::websocket {
namespace {

bool IsWindow(int bits) {
  return bits >= 8 && bits <= 15;
}

// Of the connection that is not to be used: the server did not mean this handshake.
absl::Status Wrong(std::string_view why) {
  return absl::UnavailableError(StrCat("the server's handshake is wrong: ", why));
}

}  // namespace

std::string ClientHandshake::MakeKey() {
  std::array<char, 16> bytes;
  const int drawn = RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size());
  GROVE_CHECK(drawn == 1, "there is no randomness for a key");
  return absl::Base64Escape(Abseil({bytes.data(), bytes.size()}));
}

absl::Status ClientHandshake::Check() const {
  for (const std::string& subprotocol : subprotocols) {
    if (!IsToken(subprotocol)) {
      return absl::InvalidArgumentError(
          StrCat("subprotocols: \"", absl::CHexEscape(subprotocol), "\" is no token"));
    }
    if (std::count(subprotocols.begin(), subprotocols.end(), subprotocol) > 1) {
      return absl::InvalidArgumentError(StrCat("subprotocols: ", subprotocol, " stands twice"));
    }
  }
  const bool windows_fit = !deflate.has_value() || (IsWindow(deflate->server_window_bits) &&
                                                    IsWindow(deflate->client_window_bits));
  if (!windows_fit) return absl::InvalidArgumentError("deflate: window bits are 8 to 15");
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> ClientHandshake::Fields() const {
  std::vector<std::pair<std::string, std::string>> fields = {{"Sec-WebSocket-Version", "13"},
                                                             {"Sec-WebSocket-Key", key}};
  if (!subprotocols.empty()) {
    fields.emplace_back("Sec-WebSocket-Protocol", absl::StrJoin(subprotocols, ", "));
  }
  if (deflate.has_value()) fields.emplace_back("Sec-WebSocket-Extensions", DeflateOffer(*deflate));
  return fields;
}

absl::StatusOr<Agreement> ClientHandshake::TakeAnswer(FieldSpan fields) const {
  if (!EqualsIgnoreCase(Joined(fields, "upgrade").value_or(""), "websocket")) {
    return Wrong("Upgrade is not websocket");
  }
  if (!HasToken(Joined(fields, "connection"), "upgrade")) {
    return Wrong("Connection does not say Upgrade");
  }
  if (Joined(fields, "sec-websocket-accept") != AcceptFor(key)) {
    return Wrong("Sec-WebSocket-Accept does not go with the key");
  }
  Agreement agreed;
  if (std::optional<std::string> chosen = Joined(fields, "sec-websocket-protocol")) {
    if (std::find(subprotocols.begin(), subprotocols.end(), *chosen) == subprotocols.end()) {
      return Wrong(StrCat("the subprotocol \"", absl::CHexEscape(*chosen), "\" was not offered"));
    }
    agreed.subprotocol = *std::move(chosen);
  }
  const std::optional<std::string> extensions = Joined(fields, "sec-websocket-extensions");
  if (!extensions.has_value()) return agreed;
  absl::StatusOr<std::vector<Extension>> named = ParseExtensions(*extensions);
  if (!named.ok()) return Wrong(std::string(named.status().message()));
  if (!named->empty() && !deflate.has_value()) {
    return Wrong(StrCat("the extension ", named->front().name, " was not offered"));
  }
  absl::StatusOr<std::optional<DeflateAgreement>> taken =
      TakeDeflateAnswer(*named, deflate.value_or(DeflatePolicy()));
  if (!taken.ok()) return Wrong(std::string(taken.status().message()));
  agreed.deflate = *std::move(taken);
  return agreed;
}

}  // namespace grove::http::websocket
