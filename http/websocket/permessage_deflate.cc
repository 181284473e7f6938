#include "http/websocket/permessage_deflate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "http/message/field.h"
#include "http/message/scan.h"

namespace grove::http::websocket {
namespace {

// Reads the list's grammar from the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool AtEnd() {
    SkipBlanks();
    return text_.empty();
  }
  // Takes `c` if it comes next, after blanks.
  bool Take(char c) {
    SkipBlanks();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::optional<std::string> Token() {
    SkipBlanks();
    const char* const end = SkipToken(text_.data(), text_.data() + text_.size());
    const size_t bytes = static_cast<size_t>(end - text_.data());
    if (bytes == 0) return std::nullopt;
    std::string token(text_.substr(0, bytes));
    text_.remove_prefix(bytes);
    return token;
  }
  // A token, bare or quoted; what the quotes hold must be a token too (RFC 6455, 9.1).
  std::optional<std::string> Value() {
    if (!Take('"')) return Token();
    std::string value;
    while (!text_.empty() && text_.front() != '"') {
      if (text_.front() == '\\') text_.remove_prefix(1);
      if (text_.empty()) return std::nullopt;
      value += text_.front();
      text_.remove_prefix(1);
    }
    if (!Take('"') || !IsToken(value)) return std::nullopt;
    return value;
  }

 private:
  void SkipBlanks() {
    while (!text_.empty() && IsBlank(text_.front())) text_.remove_prefix(1);
  }

  std::string_view text_;
};

std::optional<Extension> ParseExtension(Cursor& cursor) {
  std::optional<std::string> name = cursor.Token();
  if (!name.has_value()) return std::nullopt;
  Extension extension{*std::move(name), {}};
  while (cursor.Take(';')) {
    std::optional<std::string> parameter = cursor.Token();
    if (!parameter.has_value()) return std::nullopt;
    std::optional<std::string> value;
    if (cursor.Take('=') && !(value = cursor.Value()).has_value()) return std::nullopt;
    extension.parameters.push_back({*std::move(parameter), std::move(value)});
  }
  return extension;
}

// 8 to 15 without leading zeros (RFC 7692, 7.1.2.1); 0 if it is nothing of that.
int WindowBits(const std::string& value) {
  if (value == "8" || value == "9") return value[0] - '0';
  if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') {
    return 10 + value[1] - '0';
  }
  return 0;
}

// What one offer asks for. A window of 0: not mentioned.
struct Offer {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  int server_window_bits = 0;
  int client_window_bits = 0;

  // False: the offer has to be declined.
  bool Note(const Extension::Parameter& parameter) {
    const auto is = [&](std::string_view name) { return EqualsIgnoreCase(parameter.name, name); };
    const auto once = [](bool& flag) { return !std::exchange(flag, true); };
    if (is("server_no_context_takeover")) {
      return !parameter.value.has_value() && once(server_no_context_takeover);
    }
    if (is("client_no_context_takeover")) {
      return !parameter.value.has_value() && once(client_no_context_takeover);
    }
    const bool server = is("server_max_window_bits");
    if (!server && !is("client_max_window_bits")) return false;
    int& bits = server ? server_window_bits : client_window_bits;
    if (bits != 0 || (server && !parameter.value.has_value())) return false;
    bits = parameter.value.has_value() ? WindowBits(*parameter.value) : 15;
    return bits != 0;
  }
};

// The client's: of an answer's parameters. The client uses no larger a window than it said.
absl::StatusOr<DeflateAgreement> AgreeTo(const Offer& answer, const DeflatePolicy& policy) {
  const bool server_window_fits =
      policy.server_window_bits == 15 ||
      (answer.server_window_bits != 0 && answer.server_window_bits <= policy.server_window_bits);
  if (!server_window_fits || answer.client_window_bits > policy.client_window_bits) {
    return absl::UnavailableError("its window is larger than what was offered");
  }
  if (policy.server_no_context_takeover && !answer.server_no_context_takeover) {
    return absl::UnavailableError("it leaves out server_no_context_takeover, which was asked for");
  }
  DeflateAgreement agreed;
  agreed.server_no_context_takeover = answer.server_no_context_takeover;
  agreed.client_no_context_takeover =
      answer.client_no_context_takeover || policy.client_no_context_takeover;
  if (answer.server_window_bits != 0) agreed.server_window_bits = answer.server_window_bits;
  agreed.client_window_bits =
      answer.client_window_bits != 0 ? answer.client_window_bits : policy.client_window_bits;
  return agreed;
}

DeflateAgreement Agree(const Offer& offer, const DeflatePolicy& policy) {
  DeflateAgreement agreed;
  agreed.answer = "permessage-deflate";
  agreed.server_no_context_takeover =
      offer.server_no_context_takeover || policy.server_no_context_takeover;
  agreed.client_no_context_takeover =
      offer.client_no_context_takeover || policy.client_no_context_takeover;
  if (agreed.server_no_context_takeover) agreed.answer += "; server_no_context_takeover";
  if (agreed.client_no_context_takeover) agreed.answer += "; client_no_context_takeover";
  agreed.server_window_bits = policy.server_window_bits;
  if (offer.server_window_bits != 0) {
    agreed.server_window_bits = std::min(offer.server_window_bits, policy.server_window_bits);
    absl::StrAppend(&agreed.answer, "; server_max_window_bits=", agreed.server_window_bits);
  }
  // A client that does not say that it can limit its window must not be told to (7.1.2.2).
  if (offer.client_window_bits != 0) {
    agreed.client_window_bits = std::min(offer.client_window_bits, policy.client_window_bits);
    absl::StrAppend(&agreed.answer, "; client_max_window_bits=", agreed.client_window_bits);
  }
  return agreed;
}

}  // namespace

absl::StatusOr<std::vector<Extension>> ParseExtensions(std::string_view value) {
  std::vector<Extension> extensions;
  Cursor cursor(value);
  while (!cursor.AtEnd()) {
    if (cursor.Take(',')) continue;  // empty elements are legal in lists (RFC 9110, 5.6.1.2)
    std::optional<Extension> extension = ParseExtension(cursor);
    if (!extension.has_value() || (!cursor.AtEnd() && !cursor.Take(','))) {
      return absl::InvalidArgumentError("malformed Sec-WebSocket-Extensions");
    }
    if (extensions.size() == kExtensionsMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("more than ", kExtensionsMax, " offers in Sec-WebSocket-Extensions"));
    }
    extensions.push_back(*std::move(extension));
  }
  return extensions;
}

std::optional<DeflateAgreement> NegotiateDeflate(const std::vector<Extension>& offers,
                                                 const DeflatePolicy& policy) {
  for (const Extension& extension : offers) {
    if (!EqualsIgnoreCase(extension.name, "permessage-deflate")) continue;
    Offer offer;
    const bool sound = std::all_of(extension.parameters.begin(), extension.parameters.end(),
                                   [&](const auto& parameter) { return offer.Note(parameter); });
    if (sound) return Agree(offer, policy);
  }
  return std::nullopt;
}

std::string DeflateOffer(const DeflatePolicy& policy) {
  std::string offer = "permessage-deflate; client_max_window_bits";
  if (policy.client_window_bits != 15) absl::StrAppend(&offer, "=", policy.client_window_bits);
  if (policy.server_window_bits != 15) {
    absl::StrAppend(&offer, "; server_max_window_bits=", policy.server_window_bits);
  }
  if (policy.server_no_context_takeover) offer += "; server_no_context_takeover";
  if (policy.client_no_context_takeover) offer += "; client_no_context_takeover";
  return offer;
}

absl::StatusOr<std::optional<DeflateAgreement>> TakeDeflateAnswer(
    const std::vector<Extension>& answer, const DeflatePolicy& policy) {
  std::optional<DeflateAgreement> agreed;
  for (const Extension& extension : answer) {
    if (agreed.has_value() || !EqualsIgnoreCase(extension.name, "permessage-deflate")) {
      return absl::UnavailableError(
          absl::StrCat("the extension ", extension.name,
                       agreed.has_value() ? " is named twice" : " was not offered"));
    }
    Offer said;
    for (const Extension::Parameter& parameter : extension.parameters) {
      // In an answer a window has a value (RFC 7692, 7.1.2.2).
      const bool bare_window =
          EqualsIgnoreCase(parameter.name, "client_max_window_bits") && !parameter.value;
      if (bare_window || !said.Note(parameter)) {
        return absl::UnavailableError(
            absl::StrCat("permessage-deflate with a wrong or repeated ", parameter.name));
      }
    }
    absl::StatusOr<DeflateAgreement> one = AgreeTo(said, policy);
    if (!one.ok()) return one.status();
    agreed = *std::move(one);
  }
  return agreed;
}

}  // namespace grove::http::websocket
