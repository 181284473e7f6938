#include "server/access_log/access_format.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "server/config/near_match.h"

namespace grove::access_log {
namespace {

absl::Status Wrong(size_t at, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrFormat("at byte %d: %s", at + 1, what));
}

absl::Status UnknownKey(size_t at, std::string_view name) {
  std::vector<std::string> names;
  std::string all;
  for (const AccessKey& key : AccessKeys()) {
    names.emplace_back(key.name);
    all.append(all.empty() ? "" : ", ").append(key.name);
  }
  const std::string near = config::NearMatch(std::string(name), names);
  return Wrong(at, absl::StrFormat("no key '%s'; %s", name,
                                   near.empty() ? "the keys are " + all
                                                : absl::StrCat("did you mean '", near, "'?")));
}

void AppendEscaped(std::string_view text, std::string& line) {
  if (text.empty()) {
    line += '-';
    return;
  }
  const bool cut = text.size() > kAccessTextBytesMax;
  for (const char c : text.substr(0, kAccessTextBytesMax)) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c >= 0x20 && c < 0x7f) {
      line += c;
    } else {
      absl::StrAppendFormat(&line, "\\x%02x", static_cast<unsigned char>(c));
    }
  }
  if (cut) line += "...";
}

void AppendJson(const AccessLine& access, std::string& line) {
  nlohmann::ordered_json object;
  for (const AccessKey& key : AccessKeys()) {
    const AccessValue value = key.value(access);
    const std::string name(key.name);
    if (const auto* text = std::get_if<std::string_view>(&value)) {
      if (!text->empty()) object[name] = std::string(text->substr(0, kAccessTextBytesMax));
    } else if (const auto* whole = std::get_if<uint64_t>(&value)) {
      object[name] = *whole;
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      object[name] = *flag;
    } else {
      object[name] = std::get<double>(value);
    }
  }
  // What is not UTF-8 becomes U+FFFD, and all beyond ASCII an escape: some readers split at U+2028.
  line += object.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<AccessFormat::Piece> AccessFormat::ParseConversion(std::string_view format,
                                                                  size_t& at) {
  const size_t start = at;
  constexpr std::string_view kWant = "want %(key)s, %(key)d, %(key).6f or %%";
  const size_t close = format.find(')', at);
  if (format.substr(at, 2) != "%(" || close == std::string_view::npos) return Wrong(start, kWant);
  const std::string_view name = format.substr(at + 2, close - at - 2);
  Piece piece;
  piece.key = FindAccessKey(name);
  if (piece.key == nullptr) return UnknownKey(start, name);
  at = close + 1;
  bool digits = false;
  if (at + 1 < format.size() && format[at] == '.' && absl::ascii_isdigit(format[at + 1])) {
    digits = true;
    piece.digits = format[at + 1] - '0';
    at += 2;
  }
  const char letter = at < format.size() ? format[at] : ' ';
  ++at;
  const bool text = piece.key->kind == AccessValueKind::kText;
  if (letter == 's' && !digits) {
    piece.conversion = Conversion::kText;
  } else if (letter == 'd' && !digits && !text) {
    piece.conversion = Conversion::kWhole;
  } else if (letter == 'f' && !text) {
    piece.conversion = Conversion::kFraction;
  } else {
    return Wrong(start, text ? absl::StrFormat("'%s' is a text: want %%(%s)s", name, name)
                             : std::string(kWant));
  }
  return piece;
}

absl::StatusOr<AccessFormat> AccessFormat::Parse(std::string_view format) {
  AccessFormat parsed;
  std::string literal;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      literal += format[at++];
    } else if (format.substr(at, 2) == "%%") {
      literal += '%';
      at += 2;
    } else {
      absl::StatusOr<Piece> piece = ParseConversion(format, at);
      if (!piece.ok()) return piece.status();
      piece->literal = std::exchange(literal, {});
      parsed.pieces_.push_back(*std::move(piece));
    }
  }
  if (parsed.pieces_.empty()) return absl::InvalidArgumentError("no %(key)s stands in it");
  parsed.pieces_.push_back({.literal = std::move(literal)});
  return parsed;
}

AccessFormat AccessFormat::Json() {
  AccessFormat format;
  format.json_ = true;
  return format;
}

void AccessFormat::AppendPiece(const Piece& piece, const AccessLine& access, std::string& line) {
  line += piece.literal;
  if (piece.key == nullptr) return;
  const AccessValue value = piece.key->value(access);
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    AppendEscaped(*text, line);
    return;
  }
  const bool seconds = std::holds_alternative<double>(value);
  const double number = std::visit(
      [](const auto& held) -> double {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(held)>>) {
          return static_cast<double>(held);
        } else {
          return 0;
        }
      },
      value);
  if (piece.conversion == Conversion::kFraction ||
      (seconds && piece.conversion == Conversion::kText)) {
    absl::StrAppendFormat(&line, "%.*f", piece.digits, number);
  } else {
    absl::StrAppend(&line, static_cast<uint64_t>(number));
  }
}

void AccessFormat::Append(const http::AccessEntry& entry, absl::Time now, std::string& line) const {
  const AccessLine access{.entry = entry, .now = now, .scratch = {}};
  if (json_) {
    AppendJson(access, line);
  } else {
    for (const Piece& piece : pieces_) AppendPiece(piece, access, line);
  }
  line += '\n';
}

}  // namespace grove::access_log
