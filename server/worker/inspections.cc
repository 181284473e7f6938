#include "server/worker/inspections.h"

#include <exception>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/config/near_match.h"

namespace grove::worker {

backdoor::BackdoorTable DescribeInspections(const Application& application) {
  backdoor::BackdoorTable rows;
  for (const auto& [name, entry] : application.inspections()) {
    rows.push_back({{"name", name}, {"description", entry.description}});
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

}  // namespace grove::worker
