#include "server/http/handler/request.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace grove::http {
namespace {

// A streamed body is read in pieces of this size.
constexpr size_t kReadBytes = 16 * 1024;

}  // namespace

std::optional<std::string_view> Request::Get(std::string_view name) const {
  for (const Field& field : fields) {
    if (EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::Param(std::string_view name) const {
  for (const PathParam& param : context.params) {
    if (param.name == name) return param.value;
  }
  return std::nullopt;
}

void Request::AddParam(std::string_view name, std::string_view value) {
  if (!storage) storage = std::make_unique<Storage>();
  storage->params.push_back({name, value});
  context.params = storage->params;
}

std::string_view Request::Keep(std::string text) {
  if (!storage) storage = std::make_unique<Storage>();
  return storage->texts.emplace_front(std::move(text));
}

absl::StatusOr<std::string> Request::ReadWholeBody(size_t bytes_max) {
  std::string whole;
  while (true) {
    const size_t before = whole.size();
    whole.resize(before + std::max(before, kReadBytes));
    absl::StatusOr<size_t> got = ReadBody(std::span(whole).subspan(before));
    if (!got.ok()) return got.status();
    whole.resize(before + *got);
    if (whole.size() > bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the request's body is longer than ", bytes_max, " bytes"));
    }
    if (*got == 0) return whole;
  }
}

}  // namespace grove::http
