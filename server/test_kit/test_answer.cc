#include "server/test_kit/test_answer.h"

#include "http/message/field.h"

namespace grove::test_kit {

std::string TestAnswer::Field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (http::EqualsIgnoreCase(key, name)) return value;
  }
  return "";
}

}  // namespace grove::test_kit
