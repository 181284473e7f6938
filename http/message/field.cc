#include "http/message/field.h"

#include "absl/strings/ascii.h"

namespace grove::http {

void FieldList::Insert(size_t at, std::string_view name, std::string_view value) {
  std::string& text = texts_.emplace_front();
  text.reserve(name.size() + value.size());
  text.append(name).append(value);
  const std::string_view kept = text;
  fields_.insert(fields_.begin() + static_cast<std::ptrdiff_t>(at),
                 Field{kept.substr(0, name.size()), kept.substr(name.size())});
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (absl::ascii_tolower(a[i]) != absl::ascii_tolower(b[i])) return false;
  }
  return true;
}

}  // namespace grove::http
