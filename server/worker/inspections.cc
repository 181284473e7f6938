#include "server/worker/inspections.h"

#include <exception>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/config/near_match.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {
namespace {

constexpr size_t kNameBytesMax = 1024;

void FillError(const absl::Status& status, internal::v1::ApplicationValue& value) {
  value.mutable_error()->set_code(static_cast<int>(status.code()));
  value.mutable_error()->set_message(
      Utf8Text({status.message().data(), status.message().size()}, kNameBytesMax));
}

}  // namespace

backdoor::BackdoorTable DescribeInspections(const Application& application) {
  backdoor::BackdoorTable rows;
  for (const auto& [name, entry] : application.inspections()) {
    const bool changes = entry.kind == Application::InspectionKind::kCommand;
    rows.push_back({{"name", name},
                    {"kind", std::string(changes ? "command" : "value")},
                    {"description", entry.description}});
  }
  return rows;
}

absl::StatusOr<std::string> Inspect(const Application& application, WorkerServices& services,
                                    const std::string& name, std::string_view argument) {
  const auto found = application.inspections().find(name);
  if (found == application.inspections().end()) {
    std::vector<std::string> names;
    for (const auto& [known, entry] : application.inspections()) names.push_back(known);
    const std::string near = config::NearMatch(name, names);
    return absl::NotFoundError(
        absl::StrCat("the application has no \"", name, "\"",
                     near.empty() ? "" : absl::StrCat("; did you mean \"", near, "\"?")));
  }
  try {
    return found->second.inspection(services, argument);
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("\"", name, "\" threw: ", e.what()));
  } catch (...) {
    return absl::InternalError(absl::StrCat("\"", name, "\" threw what is no std::exception"));
  }
}

internal::v1::ReadValuesReply ReadValues(const Application& application, WorkerServices& services,
                                         const internal::v1::ReadValues& request) {
  internal::v1::ReadValuesReply reply;
  reply.set_request(request.request());
  const bool single = !request.name().empty();
  const size_t bytes_max = single ? kSingleValueBytesMax : kValueBytesMax;
  for (const auto& [name, entry] : application.inspections()) {
    if (single && name != request.name()) continue;
    if (reply.values_size() == kValuesPerReplyMax) {
      reply.set_more(true);
      break;
    }
    internal::v1::ApplicationValue& value = *reply.add_values();
    value.set_name(Utf8Text(name, kNameBytesMax));
    value.set_description(Utf8Text(entry.description, kNameBytesMax));
    value.set_is_command(entry.kind == Application::InspectionKind::kCommand);
    if (value.is_command()) continue;
    const absl::StatusOr<std::string> text =
        Inspect(application, services, name, request.argument());
    if (!text.ok()) {
      FillError(text.status(), value);
      continue;
    }
    value.set_text(Utf8Text(*text, bytes_max));
    value.set_cut(text->size() > bytes_max);
  }
  if (single && reply.values().empty()) {
    internal::v1::ApplicationValue& missing = *reply.add_values();
    missing.set_name(request.name());
    FillError(Inspect(application, services, request.name(), "").status(), missing);
  }
  return reply;
}

}  // namespace grove::worker
