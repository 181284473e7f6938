// FileHandler: serves the files of a folder.
//
// GET and HEAD. The path beyond the route's own is percent-decoded and opened beneath the folder
// (folder.h). Names that begin with '.' are not served, but for a first ".well-known" (RFC 8615). A
// directory is answered by its index.html; without a final '/' by a redirect to it; never by a
// list. Carries a strong ETag, Last-Modified and the media type by name; answers conditions (RFC
// 9110, 13) and byte ranges (14). Hub thread only.
#ifndef GROVE_SERVER_HANDLERS_FILE_H_
#define GROVE_SERVER_HANDLERS_FILE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/message/byte_ranges.h"
#include "server/handlers/folder.h"
#include "server/http/handler/handler.h"

namespace grove::handlers {

// The file's name, relative to the folder, that `path` (as sent or as routed) names beyond `base`;
// ends in '/' or is empty where it names a directory. kNotFound: outside `base`, or not to be
// served; kInvalidArgument: malformed. Pure.
absl::StatusOr<std::string> FileNameOf(std::string_view path, std::string_view base);

class FileHandler {
 public:
  // `route_path`: the pattern of the route, "/files/{path...}" or "/robots.txt": a file's name is
  // what follows the last '/' before the first '*' or '{'. `offload` must outlive it.
  FileHandler(std::string_view route_path, std::string folder, OffloadPool& offload,
              Folder::Lookup lookup = Folder::Lookup::kBeneath);

  absl::Status Serve(http::Request& request, http::Response& response) const;

 private:
  absl::Status SendOpened(const OpenedFile& file, std::string_view name, http::Request& request,
                          http::Response& response) const;

  const std::string base_;
  const Folder folder_;
};

}  // namespace grove::handlers

#endif  // GROVE_SERVER_HANDLERS_FILE_H_
