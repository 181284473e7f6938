// Inflater: a body's gzip or deflate coding undone (RFC 9110, 8.4.1), piece by piece.
//
// A small body can hold a large one: each call yields at most kPieceBytes. Any thread, one at a
// time.
#ifndef GROVE_HTTP_CLIENT_INFLATER_H_
#define GROVE_HTTP_CLIENT_INFLATER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

struct z_stream_s;

namespace grove::http {

class Inflater {
 public:
  static constexpr size_t kPieceBytes = 16 * 1024;
  // What Accept-Encoding may say.
  static constexpr std::string_view kCodings = "gzip, deflate";

  static bool Knows(std::string_view coding);

  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Takes from the front of `coded` and puts what comes of it into `piece`, which is empty if there
  // is not enough yet. kUnavailable: it is neither gzip, zlib nor deflate.
  absl::Status Next(std::string_view& coded, std::string& piece);
  // More can come of what was taken already.
  bool has_more() const { return has_more_; }
  // The coded form has ended; what follows is another member of it, or nothing.
  bool at_end() const { return at_end_; }

 private:
  absl::Status Restart(int window_bits);

  std::unique_ptr<z_stream_s> zlib_;
  bool begun_ = false;
  bool has_more_ = false;
  bool at_end_ = false;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_INFLATER_H_
