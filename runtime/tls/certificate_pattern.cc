#include "runtime/tls/certificate_pattern.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "runtime/switch/abseil_text.h"

namespace grove {
namespace {

// The kinds of names, as TlsCertificate has them and two more.
constexpr std::string_view kCommonName = "CN:";
constexpr std::string_view kDnsName = "DNS:";
constexpr std::string_view kFingerprint = "SHA256:";
constexpr std::string_view kKinds[] = {kCommonName, kDnsName, "URI:", "email:", kFingerprint};
constexpr size_t kFingerprintDigits = 64;

bool SameText(std::string_view a, std::string_view b, bool ignore_case) {
  return ignore_case ? absl::EqualsIgnoreCase(Abseil(a), Abseil(b)) : a == b;
}

std::optional<std::string_view> MatchName(std::string_view pattern, std::string_view name) {
  const bool ignore_case = pattern.starts_with(kDnsName);
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    if (!SameText(pattern, name, ignore_case)) return std::nullopt;
    return name;
  }
  const std::string_view before = pattern.substr(0, star);
  const std::string_view after = pattern.substr(star + 1);
  // It stands for one character at least: an empty one names nobody.
  if (name.size() <= before.size() + after.size()) return std::nullopt;
  if (!SameText(before, name.substr(0, before.size()), ignore_case) ||
      !SameText(after, name.substr(name.size() - after.size()), ignore_case)) {
    return std::nullopt;
  }
  return name.substr(before.size(), name.size() - before.size() - after.size());
}

}  // namespace

absl::Status CheckCertificatePattern(std::string_view pattern) {
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](std::string_view each) { return pattern.starts_with(each); });
  if (kind == std::end(kKinds) || pattern.size() == kind->size()) {
    return absl::InvalidArgumentError(
        StrCat("'", pattern, "': want a name after CN:, DNS:, URI:, email: or SHA256:"));
  }
  const std::string_view digits = pattern.substr(kind->size());
  if (*kind == kFingerprint &&
      (digits.size() != kFingerprintDigits ||
       digits.find_first_not_of("0123456789abcdef") != std::string_view::npos)) {
    return absl::InvalidArgumentError("want 64 lower-case hexadecimal digits after SHA256:");
  }
  if (std::count(pattern.begin(), pattern.end(), '*') > 1) {
    return absl::InvalidArgumentError("want one '*' at most");
  }
  return absl::OkStatus();
}

std::optional<std::string_view> MatchCertificate(std::string_view pattern,
                                                 const TlsCertificate& certificate) {
  if (pattern.starts_with(kCommonName)) {
    return MatchName(pattern.substr(kCommonName.size()), certificate.common_name);
  }
  if (pattern.starts_with(kFingerprint)) {
    return MatchName(pattern.substr(kFingerprint.size()), certificate.fingerprint);
  }
  for (const std::string& name : certificate.names) {
    const std::optional<std::string_view> found = MatchName(pattern, name);
    if (found.has_value()) return found;
  }
  return std::nullopt;
}

}  // namespace grove
