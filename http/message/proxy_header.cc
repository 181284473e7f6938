#include "http/message/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

constexpr std::string_view kLineStart = "PROXY ";
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
// Section 2.2.
constexpr uint8_t kLocal = 0x20;
constexpr uint8_t kProxied = 0x21;
constexpr size_t kInetBytes = 12;
constexpr size_t kInet6Bytes = 36;
constexpr size_t kUnixBytes = 216;
constexpr size_t kUnixPathBytes = 108;
// Section 2.2.3.
constexpr uint8_t kTypeCrc32c = 0x03;
constexpr size_t kExtensionHeadBytes = 3;

uint8_t ByteAt(std::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}

uint16_t Word(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(ByteAt(bytes, at) << 8 | ByteAt(bytes, at + 1));
}

// One step of CRC-32C (RFC 3720 B.4), bit by bit: headers are short.
uint32_t Crc32c(uint32_t crc, uint8_t byte) {
  crc ^= byte;
  for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
  return crc;
}

std::string WithPort(int family, std::string_view address, uint16_t port) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family, address.data(), text, sizeof(text));
  return family == AF_INET ? absl::StrCat(text, ":", port) : absl::StrCat("[", text, "]:", port);
}

// Binary, or nothing.
std::optional<std::string> ParseAddress(int family, std::string_view text) {
  char name[INET6_ADDRSTRLEN] = {};
  // inet_pton stops at a NUL.
  if (text.size() >= sizeof(name) || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(name, text.size());
  std::string address(family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr), '\0');
  if (inet_pton(family, name, address.data()) != 1) return std::nullopt;
  return address;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  uint32_t port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + (c - '0');
  }
  if (port > UINT16_MAX) return std::nullopt;
  return static_cast<uint16_t>(port);
}

// The word in front of the next space, or all.
std::string_view TakeWord(std::string_view& text) {
  const size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  return word;
}

// It ends up in logs.
std::string UnixName(std::string_view path) {
  path = path.substr(0, path.find('\0'));
  const bool plain =
      std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < 127; });
  return plain ? StrCat("unix:", path) : "unix:";
}

}  // namespace

ProxyHeader::Result ProxyHeader::Fail(std::string_view problem) {
  problem_ = problem;
  return Result::kMalformed;
}

size_t ProxyHeader::Missing() const {
  if (held_.empty() || held_[0] != kSignature[0]) return 1;
  return (held_.size() < kFixedBytes ? kFixedBytes : kFixedBytes + rest_bytes_) - held_.size();
}

ProxyHeader::Result ProxyHeader::Take(std::string_view bytes, size_t& used) {
  used = 0;
  while (used < bytes.size()) {
    const std::string_view piece = bytes.substr(used, Missing());
    held_ += piece;
    used += piece.size();
    const Result result = CheckSoFar();
    if (result != Result::kNeedMore) return result;
  }
  return Result::kNeedMore;
}

ProxyHeader::Result ProxyHeader::CheckSoFar() {
  const std::string_view held = held_;
  if (held[0] != kSignature[0]) {
    const size_t start = std::min(held.size(), kLineStart.size());
    if (held.substr(0, start) != kLineStart.substr(0, start)) return Fail("no PROXY header");
    if (held.back() == '\n') return ParseLine();
    if (held.size() == kLineBytesMax) return Fail("a line that is too long");
    return Result::kNeedMore;
  }
  const size_t start = std::min(held.size(), kSignature.size());
  if (held.substr(0, start) != kSignature.substr(0, start)) return Fail("no PROXY header");
  if (held.size() < kFixedBytes) return Result::kNeedMore;
  if (held.size() == kFixedBytes) {
    if (const Result fixed = CheckFixed(); fixed != Result::kNeedMore) return fixed;
  }
  return held.size() == kFixedBytes + rest_bytes_ ? ParseBinary() : Result::kNeedMore;
}

// "PROXY TCP4 192.0.2.1 198.51.100.1 51724 443\r\n" (section 2.1).
ProxyHeader::Result ProxyHeader::ParseLine() {
  std::string_view line = held_;
  line.remove_prefix(kLineStart.size());
  if (line.size() < 2 || line[line.size() - 2] != '\r') return Fail("a line that ends without CR");
  line.remove_suffix(2);
  const std::string_view family_name = TakeWord(line);
  if (family_name == "UNKNOWN") return Result::kDone;  // whatever follows is to be ignored
  if (family_name != "TCP4" && family_name != "TCP6") return Fail("an unknown protocol");
  const int family = family_name == "TCP4" ? AF_INET : AF_INET6;
  const auto source = ParseAddress(family, TakeWord(line));
  const auto destination = ParseAddress(family, TakeWord(line));
  if (!source || !destination) return Fail("a malformed address");
  const auto source_port = ParsePort(TakeWord(line));
  // The last word is all that is left, so that a further space or word is part of it.
  const auto destination_port = ParsePort(line);
  if (!source_port || !destination_port) return Fail("a malformed port");
  client_ = WithPort(family, *source, *source_port);
  return Result::kDone;
}

ProxyHeader::Result ProxyHeader::CheckFixed() {
  const uint8_t command = ByteAt(held_, 12);
  if (command != kLocal && command != kProxied) return Fail("an unknown version or command");
  const uint8_t family = ByteAt(held_, 13) >> 4;
  const uint8_t transport = ByteAt(held_, 13) & 0x0f;
  if (family > 3 || transport > 2) return Fail("an unknown protocol");
  rest_bytes_ = Word(held_, 14);
  if (rest_bytes_ > kRestBytesMax) return Fail("a header that is too long");
  return Result::kNeedMore;
}

ProxyHeader::Result ProxyHeader::ParseBinary() {
  static constexpr size_t kAddressBytes[] = {0, kInetBytes, kInet6Bytes, kUnixBytes};
  const uint8_t family = ByteAt(held_, 13) >> 4;
  const bool specified = family != 0 && (ByteAt(held_, 13) & 0x0f) != 0;
  // LOCAL: its addresses "must be ignored", TLVs included.
  if (ByteAt(held_, 12) == kLocal) return Result::kDone;
  if (rest_bytes_ < kAddressBytes[family]) return Fail("addresses that are cut short");
  const std::string_view rest = std::string_view(held_).substr(kFixedBytes);
  if (specified && family == 1) {
    client_ = WithPort(AF_INET, rest, Word(rest, 8));
  } else if (specified && family == 2) {
    client_ = WithPort(AF_INET6, rest, Word(rest, 32));
  } else if (specified) {
    client_ = UnixName(rest.substr(0, kUnixPathBytes));
  }
  return CheckExtensions(kFixedBytes + kAddressBytes[family]);
}

// The TLVs: none is needed, but a checksum that is there must be right (section 2.2.3).
ProxyHeader::Result ProxyHeader::CheckExtensions(size_t begin) {
  size_t checksum_at = 0;
  for (size_t at = begin; at < held_.size();) {
    if (held_.size() - at < kExtensionHeadBytes) return Fail("a TLV that is cut short");
    const size_t length = Word(held_, at + 1);
    if (held_.size() - at - kExtensionHeadBytes < length) return Fail("a TLV that is cut short");
    if (ByteAt(held_, at) == kTypeCrc32c) {
      if (length != 4 || checksum_at != 0) return Fail("a malformed checksum");
      checksum_at = at + kExtensionHeadBytes;
    }
    at += kExtensionHeadBytes + length;
  }
  if (checksum_at == 0) return Result::kDone;
  uint32_t crc = ~0u;
  for (size_t at = 0; at < held_.size(); ++at) {
    const bool of_checksum = at >= checksum_at && at < checksum_at + 4;
    crc = Crc32c(crc, of_checksum ? 0 : ByteAt(held_, at));
  }
  const uint32_t stated = uint32_t{Word(held_, checksum_at)} << 16 | Word(held_, checksum_at + 2);
  return ~crc == stated ? Result::kDone : Fail("a checksum that does not match");
}

}  // namespace grove::http
