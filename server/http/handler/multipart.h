// Multipart: the parts of a multipart/form-data body, one after another, as they come.
//
//   absl::StatusOr<grove::http::Multipart> form = grove::http::Multipart::Of(request);
//   if (!form.ok()) return form.status();                                    // 400
//   for (;;) {
//     absl::StatusOr<std::optional<grove::http::Part>> part = form->Next();
//     if (!part.ok()) return part.status();
//     if (!*part) break;
//     if ((*part)->filename) { … form->SaveTo(path, bytes_max, offload); }
//     else                   { … form->ReadText(); }
//   }
//
// RFC 7578 and RFC 2046, 5.1. It holds 16 KiB of a body, however long that is; the body as a whole
// has the bound of its route. Names are UTF-8 as they stand: nothing in them is decoded but
// backslashes before '"' and '\'. `filename*` does not count (RFC 7578, 4.2).
// Refused with kInvalidArgument: no boundary, lines that end without CR, folded lines, a part
// without a name or with two, control characters or invalid UTF-8 in a name, an encoding (base64,
// quoted-printable; RFC 7578, 4.7), a body that ends within a part. One fiber uses it at a time.
#ifndef GROVE_SERVER_HTTP_HANDLER_MULTIPART_H_
#define GROVE_SERVER_HTTP_HANDLER_MULTIPART_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/offload/offload.h"
#include "server/http/handler/request.h"

namespace grove::http {

struct MultipartLimits {
  size_t parts_max = 1000;
  // Of the lines before a part's content.
  size_t head_bytes_max = size_t{8} * 1024;
};

struct Part {
  std::string name;
  // Without folders; a client's word all the same: no name for a file of the server's. Empty, but
  // there: a form's field for files, in which none was chosen.
  std::optional<std::string> filename;
  std::string content_type = "text/plain";  // with its parameters, as it stands
};

class Multipart {
 public:
  // kInvalidArgument: the Content-Type is not multipart/form-data, or has no boundary. `request`
  // must outlive it.
  static absl::StatusOr<Multipart> Of(Request& request, const MultipartLimits& limits = {});
  // Of a body without its request. Requires: 1 to 70 bytes of boundary.
  Multipart(BodySource& body, std::string_view boundary, const MultipartLimits& limits);

  // The next part; nullopt: there is none, and the body is at its end. What was not read of the
  // part before is passed over. After an error the same one again. **Parks.**
  absl::StatusOr<std::optional<Part>> Next();
  // Bytes of the part, 0 at its end, and before the first one. Errors are also those of
  // BodySource::Read. **Parks.**
  absl::StatusOr<size_t> Read(std::span<char> buffer);
  // The rest of the part. kResourceExhausted: it is longer than `bytes_max`. **Parks.**
  absl::StatusOr<std::string> ReadText(size_t bytes_max = size_t{64} * 1024);
  // The rest of the part to a new file, for its owner alone; how long it is. kAlreadyExists: there
  // is one of that path; kResourceExhausted: it is longer than `bytes_max`, or the device is full.
  // With an error no file is left. **Parks**, also for threads of `offload`.
  absl::StatusOr<uint64_t> SaveTo(const std::string& path, uint64_t bytes_max,
                                  OffloadPool& offload);

 private:
  enum class State { kInPart, kBetween, kEnded };
  // What is at the beginning of what is held.
  struct Look {
    size_t content = 0;        // bytes that are content whatever follows
    size_t delimiter_end = 0;  // 0: no delimiter follows them, or it is not whole yet
    bool is_last = false;      // that delimiter closes the body
  };

  std::string_view held() const { return std::string_view(buffer_).substr(at_); }
  Look LookAt(std::string_view bytes) const;
  // How long the delimiter is whose "CR LF -- boundary" `bytes` are behind; 0: it is none;
  // nullopt: more bytes decide.
  std::optional<size_t> DelimiterTail(std::string_view bytes, bool& is_last) const;
  // More of the body. False: there is none.
  absl::StatusOr<bool> Fill();
  absl::StatusOr<size_t> ReadContent(std::span<char> buffer);
  absl::Status PassOver();
  absl::StatusOr<Part> ReadHead();
  absl::Status Fail(absl::Status why);

  BodySource* body_;
  std::string delimiter_;  // CR LF -- boundary
  MultipartLimits limits_;
  // A delimiter begins with the line end before it: the first one has none but this.
  std::string buffer_ = "\r\n";
  size_t at_ = 0;
  bool body_ended_ = false;
  State state_ = State::kInPart;  // what precedes the first delimiter is a part that nobody reads
  // Content begins behind the line end that is held, unless a delimiter does with it.
  bool at_line_end_ = false;
  size_t parts_ = 0;
  absl::Status failure_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_MULTIPART_H_
