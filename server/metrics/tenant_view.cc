#include "server/metrics/tenant_view.h"

#include "runtime/switch/abseil_text.h"

namespace grove::metrics {
namespace {

// Within a label's value a quotation mark has a backslash in front, so that no value can look like
// this.
bool HasLabel(std::string_view line, std::string_view label) {
  for (size_t at = line.find(label); at != line.npos; at = line.find(label, at + 1)) {
    if (at > 0 && (line[at - 1] == '{' || line[at - 1] == ',')) return true;
  }
  return false;
}

}  // namespace

std::string SeriesOfTenant(std::string_view text, std::string_view tenant) {
  const std::string label = StrCat("tenant=\"", tenant, "\"");
  std::string found;
  // HELP and TYPE of the family that the lines belong to, until one of them is taken.
  std::string head;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.starts_with("# HELP ")) head.clear();
    if (line.starts_with("#")) {
      head += StrCat(line, "\n");
    } else if (HasLabel(line, label)) {
      found += StrCat(head, line, "\n");
      head.clear();
    }
  }
  return found;
}

}  // namespace grove::metrics
