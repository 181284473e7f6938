#include "server/tasks/list_token.h"

#include "absl/strings/str_format.h"

namespace grove::tasks {

uint64_t ListChecksum(std::string_view list, std::string_view position) {
  uint64_t hash = 0xcbf29ce484222325;
  for (std::string_view part : {list, std::string_view("\0", 1), position}) {
    for (char byte : part) {
      hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
  }
  return hash;
}

std::string EncodeListToken(std::string_view list, std::string_view last) {
  return absl::StrFormat("%s~%016x", last, ListChecksum(list, last));
}

std::optional<std::string> DecodeListToken(std::string_view list, std::string_view token) {
  const size_t end = token.rfind('~');
  if (end == token.npos) return std::nullopt;
  std::string last(token.substr(0, end));
  if (EncodeListToken(list, last) != token) return std::nullopt;
  return last;
}

}  // namespace grove::tasks
